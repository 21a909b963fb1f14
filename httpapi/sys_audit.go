package httpapi

import (
	"fmt"
	"io"
	"strings"

	"github.com/tokengrove/grove/engine/audit"
	"github.com/tokengrove/grove/fsm"
	table "github.com/tokengrove/grove/fsm/audit"
)

var (
	auditFields       = schema{"type": text, "description": text, "options": pairs, "local": boolean}
	auditHashFields   = schema{"input": text}
	auditHeaderFields = schema{"hmac": boolean}
)

func listAudit(rq *request) (*response, error) {
	data := map[string]any{}
	for _, d := range rq.api.auditTable().Devices {
		options := d.Options
		if options == nil {
			options = map[string]string{}
		}
		data[d.Path] = map[string]any{"type": d.Type, "description": d.Description, "path": d.Path, "options": options, "local": d.Local}
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}

// auditPath is the path of a device that the request's path names.
func (rq *request) auditPath() string { return strings.TrimRight(rq.text("path"), "/") + "/" }

// Bounds of what is stored for a device, besides those that its type sets.
const (
	maxAuditOptions = 64
	maxAuditBytes   = 64 << 10
)

// auditDevice is the device that a request asks for, with a salt of its own.
func (rq *request) auditDevice() (table.Device, error) {
	d := table.Device{
		Path: rq.auditPath(), Type: rq.text("type"), Description: rq.text("description"), Options: rq.pairs("options"), Local: rq.boolean("local"),
	}
	size := len(d.Path) + len(d.Type) + len(d.Description)
	for k, v := range d.Options {
		size += len(k) + len(v)
	}
	switch {
	case d.Path == "/":
		return d, invalid("backend path must be specified: invalid configuration")
	case len(d.Options) > maxAuditOptions || size > maxAuditBytes:
		return d, invalid("an audit device has at most %d options, and %d bytes in all", maxAuditOptions, maxAuditBytes)
	}
	if _, err := io.ReadFull(rq.api.cfg.Rand, d.Salt[:]); err != nil {
		return d, fmt.Errorf("making a salt: %w", err)
	}
	return d, nil
}

// enableAudit adds a device that this node can open. It is open when the answer is given; the
// other nodes open it before they do anything for a request that starts from then on.
func enableAudit(rq *request) (*response, error) {
	d, err := rq.auditDevice()
	switch {
	case rq.api.cfg.Audit == nil:
		return nil, errUnsupported
	case err != nil:
		return nil, err
	case rq.trace.table.Overlaps(d.Path):
		return nil, invalid("path already in use: invalid configuration")
	}
	if err := rq.api.cfg.Audit.Probe(d); err != nil {
		return nil, invalid("%v", err)
	}
	return nil, rq.changeAudit(&fsm.EnableAudit{Caller: rq.asker(), Device: d})
}

func disableAudit(rq *request) (*response, error) {
	return nil, rq.changeAudit(&fsm.DisableAudit{Caller: rq.asker(), Path: rq.auditPath()})
}

// changeAudit proposes a change of the table and waits until this node goes by it: the answer
// itself is recorded as the new table says.
func (rq *request) changeAudit(c fsm.Command) error {
	r, err := rq.propose(c)
	if err != nil || rq.api.cfg.Audit == nil {
		return err
	}
	if err := rq.api.store.WaitIndex(rq.ctx, r.Index); err != nil {
		return fsm.Errorf(fsm.OutcomeUnknown, "the audit devices were changed, but this node has not caught up with it: %v", err)
	}
	rq.trace.table = rq.api.auditTable()
	rq.api.syncAudit(rq.trace.table)
	return nil
}

// auditHash tells what a device shows for a text.
func auditHash(rq *request) (*response, error) {
	input, path := rq.text("input"), rq.auditPath()
	if input == "" {
		return nil, invalid("the \"input\" parameter is empty")
	}
	d, ok := rq.api.auditTable().Device(path)
	if !ok {
		return nil, invalid("unknown audit backend %q", path)
	}
	return &response{data: map[string]any{"hash": audit.Hash(d.Salt, input)}, flat: true, mount: "system"}, nil
}

func showHeader(h table.Header) map[string]any { return map[string]any{"hmac": h.HMAC} }

func listAuditHeaders(rq *request) (*response, error) {
	headers := map[string]any{}
	for _, h := range rq.api.auditTable().Headers {
		headers[h.Name] = showHeader(h)
	}
	return &response{data: map[string]any{"headers": headers}, flat: true, mount: "system"}, nil
}

func readAuditHeader(rq *request) (*response, error) {
	name := rq.text("header")
	h, ok := rq.api.auditTable().Header(strings.ToLower(name))
	if !ok {
		return nil, invalid("Could not find header in config")
	}
	return &response{data: map[string]any{name: showHeader(h)}, flat: true, mount: "system"}, nil
}

const maxHeaderName = 256

func putAuditHeader(rq *request) (*response, error) {
	name := strings.ToLower(rq.text("header"))
	if len(name) > maxHeaderName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, r) }) {
		return nil, invalid("%q is no name of a header: at most %d letters, digits and dashes are allowed", name, maxHeaderName)
	}
	return nil, rq.changeAudit(&fsm.PutAuditHeader{Caller: rq.asker(), Header: table.Header{Name: name, HMAC: rq.boolean("hmac")}})
}

func deleteAuditHeader(rq *request) (*response, error) {
	return nil, rq.changeAudit(&fsm.DeleteAuditHeader{Caller: rq.asker(), Name: strings.ToLower(rq.text("header"))})
}
