package httpapi

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine/audit"
	"github.com/tokengrove/grove/fsm"
	table "github.com/tokengrove/grove/fsm/audit"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/httpapi/acl"
)

// errUnrecorded answers a request that no audit device could record, before and after its effect.
var (
	errUnrecorded       = fail(http.StatusInternalServerError, listed("internal error"))
	errUnrecordedAnswer = fail(http.StatusInternalServerError, "internal error")
)

// trace is what a request has to do with audit devices.
type trace struct {
	// table is that of the state by which the request was authorised last.
	table *table.Table
	id    string // of the request and its answer; "": not made yet
	entry *audit.Record
	uses  uint32 // that the caller had left when the request came
}

// audited reports whether somebody wants to know what rq does. It is all that a request costs
// without a device.
func (a *api) audited(rq *request) bool {
	return a.cfg.Audit != nil && rq.trace.table != nil && len(rq.trace.table.Devices) > 0
}

// silent reports whether requests of a route are recorded nowhere: those about the node, which need no
// token, as in the reference. Logins need none either, and are recorded.
func (rt *route) silent() bool { return rt != nil && rt.open && strings.HasPrefix(rt.path, "sys/") }

// recordRequest writes the request's record, once, before anything is done for it. err is why
// nothing will be.
func (a *api) recordRequest(rq *request, err error) error {
	if rq.trace.entry != nil || !a.audited(rq) {
		return nil
	}
	if err == errUnrecorded {
		return err
	}
	a.syncAudit(rq.trace.table)
	r := a.newRecord(rq, err)
	r.Type = "request"
	if e := a.cfg.Audit.Write(r); e != nil {
		a.log.Error("failed to audit request", "path", rq.path, "error", e)
		return errUnrecorded
	}
	rq.trace.entry = r
	return nil
}

// conclude writes the records that a finished request still lacks, and returns its answer: an error
// if there is nobody who has recorded it.
func (a *api) conclude(rq *request, rs *response, err error) (*response, error) {
	if a.cfg.Audit == nil {
		return rs, err
	}
	if rq.trace.table == nil {
		a.store.View(func(m *fsm.Machine) { rq.trace.table = m.Audit() })
	}
	if !a.audited(rq) || err == errUnrecorded {
		return rs, err
	}
	if e := a.recordRequest(rq, err); e != nil {
		return nil, e
	}
	r := a.newRecord(rq, err)
	r.Type, r.Response = "response", a.responseOf(rq, rs, &r.Request.Mount)
	if e := a.cfg.Audit.Write(r); e != nil {
		a.log.Error("failed to audit response", "path", rq.path, "error", e)
		return nil, errUnrecordedAnswer
	}
	return rs, err
}

// syncAudit has the devices of the newest table opened, if seen is not the one whose devices are.
func (a *api) syncAudit(seen *table.Table) {
	if a.cfg.Audit.Table() != seen {
		a.cfg.Audit.Sync(a.auditTable)
	}
}

func (a *api) auditTable() (t *table.Table) {
	a.store.View(func(m *fsm.Machine) { t = m.Audit() })
	return t
}

// newRecord says who asks for what.
func (a *api) newRecord(rq *request, err error) *audit.Record {
	if rq.trace.entry == nil {
		rq.trace.uses = rq.caller.UsesLeft
	}
	mt := a.mountOf(rq.path)
	r := &audit.Record{Headers: rq.http.Header, PlainRequest: mt.Tuning.AuditRequestKeys, PlainResponse: mt.Tuning.AuditResponseKeys}
	if err != nil {
		r.Error = failureOf(err).Error()
	}
	r.Auth = a.authOf(rq, err)
	r.Request = &audit.Request{
		ClientID: clientID(rq), ClientToken: string(rq.id), ClientTokenAccessor: string(rq.caller.Accessor), Data: rq.raw,
		ID: rq.requestID(), Mount: a.auditedMount(&mt), Namespace: &audit.Namespace{ID: "root"}, Operation: operationName(rq.op), Path: rq.path,
	}
	host, port, _ := net.SplitHostPort(rq.http.RemoteAddr)
	r.Request.RemoteAddress, r.Request.WrapTTL = host, wholeSeconds(rq.wrap)
	r.Request.RemotePort, _ = strconv.Atoi(port)
	if t := rq.http.TLS; t != nil && len(t.PeerCertificates) > 0 {
		r.Request.ClientCertificateSerialNumber = t.PeerCertificates[0].SerialNumber.String()
	}
	return r
}

// authOf is the caller as it was found; without a token, nobody.
func (a *api) authOf(rq *request, err error) *audit.Auth {
	c := &rq.caller
	if c.Hash.IsZero() {
		return &audit.Auth{}
	}
	allowed := rq.decision.Allowed && (err == nil || failureOf(err).status != http.StatusForbidden)
	out := &audit.Auth{
		Accessor: string(c.Accessor), ClientToken: string(rq.id), DisplayName: c.DisplayName, Metadata: c.Meta, Policies: c.Policies,
		TokenPolicies: c.Policies, RemainingUses: rq.trace.uses, PolicyResults: &audit.PolicyResults{Allowed: allowed},
	}
	out.TokenIssueTime, out.TokenTTL, out.TokenType = c.Created.Time().Format(time.RFC3339), wholeSeconds(c.TTL), c.Type.String()
	if allowed {
		out.PolicyResults.GrantingPolicies = a.granting(rq)
	}
	return out
}

// granting names the policies of the caller that allow the request, each by itself.
func (a *api) granting(rq *request) (out []audit.Policy) {
	for _, name := range rq.caller.Policies {
		one := rq.caller
		one.Policies = []string{name}
		if name == policy.Root || a.rulesOf(&one).Allowed(rq.asked()).Allowed {
			out = append(out, audit.Policy{Name: name, NamespaceID: "root", Type: "acl"})
		}
	}
	return out
}

// clientID is how the reference counts clients that have no entity: by their policies.
func clientID(rq *request) string {
	if rq.caller.Hash.IsZero() {
		return ""
	}
	names := slices.Sorted(slices.Values(rq.caller.Policies))
	sum := sha256.Sum256([]byte(strings.Join(names, "\x7f") + "\x00root"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// mountOf returns the mount that serves a path, the zero Mount if none does.
func (a *api) mountOf(path string) (found mount.Mount) {
	if strings.HasPrefix(path, "sys/") {
		return mount.Mount{Path: "sys/", Type: "system", Accessor: "system_grove"}
	}
	a.store.View(func(m *fsm.Machine) {
		for _, mt := range m.Mounts() {
			if strings.HasPrefix(path, mt.Path) {
				found = mt
			}
		}
	})
	return found
}

// auditedMount is how records show a mount.
func (a *api) auditedMount(mt *mount.Mount) audit.Mount {
	if mt.Path == "" {
		return audit.Mount{}
	}
	class := "secret"
	if mt.Auth() {
		class = "auth"
	}
	return audit.Mount{Accessor: mt.Accessor, Class: class, Point: mt.Path, RunningVersion: "v" + a.cfg.Version + "+builtin.grove", Type: mt.Type}
}

func operationName(op acl.Operation) string {
	names := map[acl.Operation]string{
		acl.Create: "create", acl.Read: "read", acl.Update: "update", acl.Delete: "delete", acl.List: "list", acl.Patch: "patch", acl.Help: "help",
	}
	if n, ok := names[op]; ok {
		return n
	}
	return "header"
}

// responseOf is what is answered.
func (a *api) responseOf(rq *request, rs *response, mt *audit.Mount) *audit.Response {
	out := &audit.Response{Served: audit.Served(*mt)}
	if rs == nil {
		out.Warnings = rq.warnings
		return out
	}
	out.Data, out.Warnings = plainData(rs), rq.allWarnings(rs)
	if rs.lease.id != "" {
		out.Secret = &audit.Secret{LeaseID: rs.lease.id}
	}
	if rs.auth != nil {
		out.Auth = issued(rs.auth)
	}
	return out
}

// issued is the token that an answer gives out or renews.
func issued(au *auth) *audit.Auth {
	out := &audit.Auth{
		Accessor: string(au.Accessor), ClientToken: string(au.ClientToken), EntityID: au.EntityID, Metadata: au.Metadata,
		NumUses: au.NumUses, Policies: au.Policies, TokenPolicies: au.TokenPolicies,
	}
	out.TokenTTL, out.TokenType = au.LeaseDuration, au.TokenType
	return out
}

// plainData is the data of an answer as maps and lists, whatever it was made of.
func plainData(rs *response) map[string]any {
	data := rs.data
	if rs.bare != nil {
		data = rs.bare
	}
	if data == nil {
		return nil
	}
	b, err := json.Marshal(data)
	if err != nil {
		return nil // nor is there an answer
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var out map[string]any
	if d.Decode(&out) != nil {
		return nil
	}
	return out
}
