package fsm

import (
	"strings"

	"github.com/tokengrove/grove/fsm/audit"
)

// PutAuditHeader makes the audit devices record a request header, or changes how.
type PutAuditHeader struct {
	Caller Caller       `cbor:"1,keyasint"`
	Header audit.Header `cbor:"2,keyasint"`
}

func (c *PutAuditHeader) asks() Caller { return c.Caller }

// apply adds the header or replaces it.
func (c *PutAuditHeader) apply(m *Machine, _ *applyContext) Result {
	_, known := m.audit.Header(c.Header.Name)
	switch {
	case c.Header.Name == "" || c.Header.Name != strings.ToLower(c.Header.Name):
		return refuse(Invalid, "an audited header needs a name in lower case")
	case !known && len(m.audit.Headers) >= audit.MaxHeaders:
		return refuse(Invalid, "%d headers are audited, at most %d are allowed", len(m.audit.Headers), audit.MaxHeaders)
	}
	return m.setAudit(m.audit.WithHeader(c.Header))
}
