package sim

import (
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/audit"
)

// auditChanged is the name under which the model remembers changes of audit devices.
const auditChanged = "audit devices"

var auditPaths = []string{"file/", "file/a/", "syslog/", "s/", "file", ""}

// auditCommand makes a command about audit devices or audited headers.
func (g *generator) auditCommand() fsm.Command {
	path, name := auditPaths[g.r.IntN(len(auditPaths))], []string{"x-a", "x-b", "X-A", ""}[g.r.IntN(4)]
	switch g.r.IntN(4) {
	case 0:
		return &fsm.EnableAudit{Caller: g.caller(), Device: audit.Device{
			Path: path, Type: "file", Options: map[string]string{"file_path": "discard", "mode": "0600"}, Salt: audit.Salt{byte(g.r.IntN(256))},
		}}
	case 1:
		return &fsm.DisableAudit{Caller: g.caller(), Path: path}
	case 2:
		return &fsm.PutAuditHeader{Caller: g.caller(), Header: audit.Header{Name: name, HMAC: g.r.IntN(2) == 0}}
	}
	return &fsm.DeleteAuditHeader{Caller: g.caller(), Name: name}
}

// auditing is what the model knows of audit devices.
type auditing struct{ devices, headers map[string]bool }

func newAuditing() auditing { return auditing{map[string]bool{}, map[string]bool{}} }

// audit applies a command of auditCommand.
func (m *model) audit(c fsm.Command) fsm.Code {
	switch c := c.(type) {
	case *fsm.EnableAudit:
		p := c.Device.Path
		if p == "" || p[len(p)-1] != '/' {
			return fsm.Invalid
		}
		for other := range m.audits.devices {
			if strings.HasPrefix(other, p) || strings.HasPrefix(p, other) {
				return fsm.Invalid
			}
		}
		m.audits.devices[p] = true
	case *fsm.DisableAudit:
		if !m.audits.devices[c.Path] {
			return 0
		}
		delete(m.audits.devices, c.Path)
	case *fsm.PutAuditHeader:
		if c.Header.Name == "" || c.Header.Name == "X-A" {
			return fsm.Invalid
		}
		m.audits.headers[c.Header.Name] = true
	case *fsm.DeleteAuditHeader:
		if !m.audits.headers[c.Name] {
			return 0
		}
		delete(m.audits.headers, c.Name)
	}
	m.change(auditChanged)
	return 0
}

// auditAskedBy returns who asks for a command of auditCommand.
func auditAskedBy(c fsm.Command) fsm.Caller {
	switch c := c.(type) {
	case *fsm.EnableAudit:
		return c.Caller
	case *fsm.DisableAudit:
		return c.Caller
	case *fsm.PutAuditHeader:
		return c.Caller
	case *fsm.DeleteAuditHeader:
		return c.Caller
	}
	return fsm.Caller{}
}

// compareAudit compares the table of devices and headers with the model.
func (m *model) compareAudit(t *audit.Table) bool {
	for _, d := range t.Devices {
		if !m.audits.devices[d.Path] {
			return false
		}
	}
	for _, h := range t.Headers {
		if !m.audits.headers[h.Name] {
			return false
		}
	}
	return len(t.Devices) == len(m.audits.devices) && len(t.Headers) == len(m.audits.headers)
}
