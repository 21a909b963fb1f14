package acl

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/tokengrove/grove/fsm/policy"
)

// capability is one capability as it is written.
type capability struct {
	name string
	bit  policy.Capability
}

// capabilityNames are all capabilities, sorted.
var capabilityNames = []capability{
	{"create", policy.Create}, {"delete", policy.Delete}, {"deny", policy.Deny}, {"list", policy.List},
	{"patch", policy.Patch}, {"read", policy.Read}, {"recover", policy.Recover}, {"subscribe", policy.Subscribe},
	{"sudo", policy.Sudo}, {"update", policy.Update},
}

// oldPolicies are the rights of the deprecated `policy = "…"`.
var oldPolicies = map[string][]string{
	"deny":  {"deny"},
	"read":  {"read", "list"},
	"write": {"create", "read", "update", "delete", "list"},
	"sudo":  {"create", "read", "update", "delete", "list", "sudo"},
}

// stanza is a path stanza as it is written.
type stanza struct {
	Policy       string           `hcl:"policy"`
	Capabilities []string         `hcl:"capabilities"`
	Min          any              `hcl:"min_wrapping_ttl"`
	Max          any              `hcl:"max_wrapping_ttl"`
	Allowed      map[string][]any `hcl:"allowed_parameters"`
	Denied       map[string][]any `hcl:"denied_parameters"`
	Required     []string         `hcl:"required_parameters"`
	ControlGroup *controlGroup    `hcl:"control_group"`

	// These must have the right shape and have no effect, as in the reference's open edition.
	MFAMethods          []string `hcl:"mfa_methods"`
	SubscribeEventTypes []string `hcl:"subscribe_event_types"`
}

var stanzaKeys = []string{
	"comment", "policy", "capabilities", "allowed_parameters", "denied_parameters", "required_parameters",
	"min_wrapping_ttl", "max_wrapping_ttl", "mfa_methods", "control_group", "subscribe_event_types",
}

// parseRule reads one stanza. What follows a deny is not looked at, as in the reference.
func parseRule(path string, node ast.Node) (policy.Rule, error) {
	var s stanza
	if err := checkTemplate(path); err != nil {
		return policy.Rule{}, err
	}
	if err := checkKeys(node, stanzaKeys...); err != nil {
		return policy.Rule{}, at(path, err)
	}
	if err := hcl.DecodeObject(&s, node); err != nil {
		return policy.Rule{}, at(path, err)
	}
	r, err := parsePattern(path)
	if err != nil {
		return r, err
	}
	if r.Capabilities, err = s.capabilities(); err != nil {
		return r, at(path, err)
	}
	if r.Capabilities == policy.Deny {
		return r, nil
	}
	if r.AllowedParameters, err = parameters(s.Allowed); err != nil {
		return r, at(path, err)
	}
	if r.DeniedParameters, err = parameters(s.Denied); err != nil {
		return r, at(path, err)
	}
	if err := s.wrapping(&r); err != nil {
		return r, err
	}
	r.RequiredParameters = required(s.Required)
	return r, nil
}

// checkTemplate refuses a path in which "{{" and "}}" do not make pairs. Therefore "{{" in a
// stored path is a template, and needs no mark.
func checkTemplate(path string) error {
	for rest, open := path, true; open; {
		var before, directive string
		before, rest, open = strings.Cut(rest, "{{")
		if strings.Contains(before, "}}") {
			return errUnbalanced
		}
		if open {
			var closed bool
			directive, rest, closed = strings.Cut(rest, "}}")
			if !closed || strings.Contains(directive, "{{") {
				return errUnbalanced
			}
		}
	}
	return nil
}

var errUnbalanced = errors.New("failed to validate policy templating: unbalanced templating characters")

// parsePattern splits a path into what the rule matches.
func parsePattern(path string) (policy.Rule, error) {
	r := policy.Rule{Path: strings.TrimPrefix(path, "/")}
	switch {
	case !utf8.ValidString(path):
		return r, at(path, errors.New("is not valid UTF-8"))
	case strings.Contains(r.Path, "+*"):
		return r, at(r.Path, errors.New("invalid use of wildcards ('+*' is forbidden)"))
	}
	r.Segments = r.Path == "+" || strings.Contains(r.Path, "/+") || strings.HasPrefix(r.Path, "+/")
	r.Path, r.Glob = strings.CutSuffix(r.Path, "*")
	return r, nil
}

// names returns the capabilities by name; those of an old policy come after.
func (s *stanza) names() ([]string, error) {
	if s.Policy == "" {
		return s.Capabilities, nil
	}
	old, ok := oldPolicies[s.Policy]
	switch {
	case !ok:
		return nil, fmt.Errorf("invalid policy %q", s.Policy)
	case s.Policy == "deny":
		return old, nil
	}
	return slices.Concat(s.Capabilities, old), nil
}

func (s *stanza) capabilities() (policy.Capability, error) {
	names, err := s.names()
	if err != nil {
		return 0, err
	}
	var c policy.Capability
	for _, n := range names {
		i := slices.IndexFunc(capabilityNames, func(e capability) bool { return e.name == n })
		switch {
		case i < 0:
			return 0, fmt.Errorf("invalid capability %q", n)
		case capabilityNames[i].bit == policy.Deny:
			return policy.Deny, nil
		}
		c |= capabilityNames[i].bit
	}
	return c, nil
}

// parameters lower-cases the keys and brings the values into canonical JSON. Both make valid
// UTF-8 of what is not.
func parameters(in map[string][]any) (map[string][]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string][]string, len(in))
	for _, k := range sortedKeys(in) {
		list := []string{}
		for _, v := range in[k] {
			s, err := canonical(v)
			if err != nil {
				return nil, fmt.Errorf("parameter %q: %w", k, err)
			}
			list = append(list, s)
		}
		out[strings.ToLower(k)] = list
	}
	return out, nil
}

// sortedKeys makes the outcome the same when two keys differ only in case.
func sortedKeys(in map[string][]any) []string {
	keys := make([]string, 0, len(in))
	for k := range in {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

func canonical(v any) (string, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return "", err
	}
	return strings.TrimSuffix(b.String(), "\n"), nil
}

// required lower-cases the keys.
func required(in []string) []string {
	var out []string
	for _, k := range in {
		out = append(out, strings.ToLower(k))
	}
	return out
}
