package httpapi

import (
	"slices"
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/httpapi/acl"
)

var policyFields = schema{"name": text, "policy": text, "rules": text}

func (rq *request) policyNames() []string {
	var names []string
	rq.api.store.View(func(m *fsm.Machine) { names = append(m.PolicyNames(), policy.Root) })
	slices.Sort(names)
	return names
}

func listPolicies(rq *request) (*response, error) { return keys(rq.policyNames(), "system") }

func listOldPolicies(rq *request) (*response, error) {
	names := rq.policyNames()
	return &response{data: map[string]any{"keys": names, "policies": names}, flat: true, mount: "system"}, nil
}

func (rq *request) policy() (policy.Policy, error) {
	name := strings.ToLower(rq.vars["name"])
	if name == policy.Root {
		return policy.Policy{Name: name}, nil
	}
	var p policy.Policy
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { p, ok = m.Policy(name) })
	if !ok {
		return p, errNotFound
	}
	return p, nil
}

func readPolicy(rq *request) (*response, error) {
	p, err := rq.policy()
	if err != nil {
		return nil, err
	}
	return &response{data: map[string]any{"name": p.Name, "policy": p.Text}, mount: "system"}, nil
}

func readOldPolicy(rq *request) (*response, error) {
	p, err := rq.policy()
	if err != nil {
		return nil, err
	}
	return &response{data: map[string]any{"name": p.Name, "rules": p.Text}, flat: true, mount: "system"}, nil
}

func writePolicy(rq *request) (*response, error) {
	name := strings.ToLower(rq.vars["name"])
	if name != rq.vars["name"] {
		rq.warn("policy name was converted to %s", name)
	}
	text := rq.text("policy")
	if text == "" {
		text = rq.text("rules")
	}
	switch {
	case text == "":
		return nil, invalid("'policy' parameter not supplied or empty")
	case name == policy.Root:
		return nil, invalid("cannot update %q policy", name)
	}
	p, err := acl.Parse(name, text)
	if err != nil {
		return nil, invalid("failed to parse policy: %v", err)
	}
	_, err = rq.propose(&fsm.PutPolicy{Caller: rq.asker(), Policy: p})
	return nil, err
}

func deletePolicy(rq *request) (*response, error) {
	_, err := rq.propose(&fsm.DeletePolicy{Caller: rq.asker(), Name: strings.ToLower(rq.vars["name"])})
	return nil, err
}
