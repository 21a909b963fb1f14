package fsm

import (
	"strings"

	"github.com/tokengrove/grove/fsm/audit"
)

// EnableAudit adds an audit device. Its salt was minted by the proposer, who has opened it.
type EnableAudit struct {
	Caller Caller       `cbor:"1,keyasint"`
	Device audit.Device `cbor:"2,keyasint"`
}

func (c *EnableAudit) asks() Caller { return c.Caller }

// apply adds the device. Whatever an edge decided before is stale: it knew of one device less to
// record at.
func (c *EnableAudit) apply(m *Machine, _ *applyContext) Result {
	switch {
	case len(c.Device.Path) < 2 || !strings.HasSuffix(c.Device.Path, "/") || c.Device.Type == "":
		return refuse(Invalid, "an audit device needs a type and a path that ends in a slash")
	case m.audit.Overlaps(c.Device.Path):
		return refuse(Invalid, "path already in use: invalid configuration")
	case len(m.audit.Devices) >= audit.MaxDevices:
		return refuse(Invalid, "there are %d audit devices, at most %d are allowed", len(m.audit.Devices), audit.MaxDevices)
	}
	return m.setAudit(m.audit.With(c.Device))
}
