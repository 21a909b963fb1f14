package httpapi

import (
	"net/http"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

var capabilityFields = schema{"token": text, "accessor": text, "path": strs, "paths": strs}

func capabilities(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	if id == "" {
		return nil, fail(http.StatusBadRequest, listed("no token found"))
	}
	rec, ok := rq.find(fsm.Target{Token: rq.hash(id)})
	if !ok {
		return nil, fail(http.StatusBadRequest, listed("invalid token"))
	}
	return rq.capabilitiesOf(&rec)
}

func capabilitiesSelf(rq *request) (*response, error) { return rq.capabilitiesOf(&rq.caller) }

func capabilitiesAccessor(rq *request) (*response, error) {
	rec, err := rq.findAccessor()
	if err != nil {
		return nil, err
	}
	return rq.capabilitiesOf(&rec)
}

func (rq *request) capabilitiesOf(rec *token.Record) (*response, error) {
	paths := append(rq.strs("paths"), rq.strs("path")...)
	if len(paths) == 0 {
		return nil, invalid("paths must be supplied")
	}
	var rules *acl.ACL
	rq.api.store.View(func(m *fsm.Machine) { rules = rq.api.acls.of(m, rec.Policies) })
	data := map[string]any{}
	for _, p := range paths {
		cs := rules.Capabilities(p)
		data[p] = cs
		if len(paths) == 1 {
			data["capabilities"] = cs
		}
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}

// resultantACL says only whether the caller is root: what a UI needs to know first.
func resultantACL(rq *request) (*response, error) {
	return &response{data: map[string]any{"root": rq.decision.Root}, flat: true, mount: "system"}, nil
}
