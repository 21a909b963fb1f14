package httpapi

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/httpapi/acl"
)

var (
	policyFields    = schema{"policy": text}
	oldPolicyFields = schema{"policy": text, "rules": text}
)

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
	name := strings.ToLower(rq.text("name"))
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

func writePolicy(rq *request) (*response, error) { return rq.putPolicy(rq.text("policy")) }

// writeOldPolicy also takes the text under its first name.
func writeOldPolicy(rq *request) (*response, error) {
	text := rq.text("policy")
	if text == "" {
		text = rq.text("rules")
		rq.warn("'rules' is deprecated, please use 'policy' instead")
	}
	return rq.putPolicy(text)
}

func (rq *request) putPolicy(text string) (*response, error) {
	name := strings.ToLower(rq.text("name"))
	if name != rq.text("name") {
		rq.warn("policy name was converted to %s", name)
	}
	if text == "" {
		return nil, invalid("'policy' parameter not supplied or empty")
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(b)
	}
	p, err := acl.Parse(name, text)
	switch {
	case err != nil:
		return nil, invalid("failed to parse policy: %v", err)
	case slices.Contains(unassignable, name):
		return nil, invalid("cannot update %q policy", name)
	case len(name) > maxShort:
		return nil, invalid("field name: at most %d bytes are allowed", maxShort)
	}
	_, err = rq.propose(&fsm.PutPolicy{Caller: rq.asker(), Policy: p})
	return nil, err
}

func deletePolicy(rq *request) (*response, error) {
	name := strings.ToLower(rq.text("name"))
	if slices.Contains(unassignable, name) {
		return nil, invalid("cannot delete %q policy", name)
	}
	_, err := rq.propose(&fsm.DeletePolicy{Caller: rq.asker(), Name: name})
	return nil, err
}
