package acl

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/printer"

	"github.com/tokengrove/grove/fsm/policy"
)

// MaxText bounds the text of a policy, in bytes.
const MaxText = 1 << 20

// names are the capabilities as they are written.
var names = map[string]policy.Capability{
	"deny": policy.Deny, "create": policy.Create, "read": policy.Read, "update": policy.Update,
	"delete": policy.Delete, "list": policy.List, "sudo": policy.Sudo, "patch": policy.Patch,
	"subscribe": policy.Subscribe, "recover": policy.Recover,
}

// oldPolicies are the rights of the deprecated `policy = "…"`.
var oldPolicies = map[string]policy.Capability{
	"deny":  policy.Deny,
	"read":  policy.Read | policy.List,
	"write": policy.Create | policy.Read | policy.Update | policy.Delete | policy.List,
	"sudo":  policy.Create | policy.Read | policy.Update | policy.Delete | policy.List | policy.Sudo,
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
}

var stanzaKeys = []string{
	"comment", "policy", "capabilities", "min_wrapping_ttl", "max_wrapping_ttl", "allowed_parameters",
	"denied_parameters", "required_parameters", "mfa_methods", "control_group", "subscribe_event_types",
}

// Parse reads a policy. Errors have the reference's wording, without its
// "failed to parse policy: ".
func Parse(name, text string) (policy.Policy, error) {
	p := policy.Policy{Name: name, Text: text}
	if len(text) > MaxText {
		return p, fmt.Errorf("the text has %d bytes, at most %d are allowed", len(text), MaxText)
	}
	list, err := objects(text)
	if err != nil {
		return p, err
	}
	if err := checkKeys(list, "name", "path"); err != nil {
		return p, fmt.Errorf("failed to parse policy: %w", err)
	}
	for _, item := range list.Filter("path").Items {
		path := "path"
		if len(item.Keys) > 0 {
			s, ok := item.Keys[0].Token.Value().(string)
			if !ok {
				return p, errors.New("a path must be a string")
			}
			path = s
		}
		r, err := parseRule(path, item.Val)
		if err != nil {
			return p, fmt.Errorf("path %q: %w", path, err)
		}
		p.Rules = append(p.Rules, r)
	}
	return p, nil
}

// objects parses text. The parser of HCL 1 is old: a panic of its is an error here.
func objects(text string) (list *ast.ObjectList, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not a policy: %v", r)
		}
	}()
	f, err := hcl.Parse(text)
	if err != nil {
		return nil, err
	}
	list, ok := f.Node.(*ast.ObjectList)
	if !ok {
		return nil, errors.New("does not contain a root object")
	}
	return list, nil
}

func checkKeys(list *ast.ObjectList, allowed ...string) error {
	for _, item := range list.Items {
		if len(item.Keys) == 0 {
			continue
		}
		key, _ := item.Keys[0].Token.Value().(string)
		if !slices.Contains(allowed, key) {
			return fmt.Errorf("invalid key %q on line %d", key, item.Assign.Line)
		}
	}
	return nil
}

func parseRule(path string, node ast.Node) (r policy.Rule, err error) {
	defer func() {
		if e := recover(); e != nil {
			err = fmt.Errorf("not a path stanza: %v", e)
		}
	}()
	body, ok := node.(*ast.ObjectType)
	if !ok {
		return r, errors.New("a path takes a block")
	}
	if err := checkKeys(body.List, stanzaKeys...); err != nil {
		return r, err
	}
	var s stanza
	if err := hcl.DecodeObject(&s, node); err != nil {
		return r, err
	}
	if r, err = pattern(path); err != nil {
		return r, err
	}
	if r.Capabilities, err = s.capabilities(); err != nil {
		return r, err
	}
	if r.AllowedParameters, err = parameters(s.Allowed); err != nil {
		return r, err
	}
	if r.DeniedParameters, err = parameters(s.Denied); err != nil {
		return r, err
	}
	for _, k := range s.Required {
		r.RequiredParameters = append(r.RequiredParameters, strings.ToLower(k))
	}
	return r, s.wrapping(&r)
}

// pattern splits a path into what the rule matches.
func pattern(path string) (policy.Rule, error) {
	r := policy.Rule{Path: strings.TrimPrefix(path, "/")}
	if strings.Contains(r.Path, "+*") {
		return r, errors.New("invalid use of wildcards ('+*' is forbidden)")
	}
	r.Segments = r.Path == "+" || strings.Contains(r.Path, "/+") || strings.HasPrefix(r.Path, "+/")
	if p, ok := strings.CutSuffix(r.Path, "*"); ok {
		r.Path, r.Glob = p, true
	}
	return r, nil
}

func (s *stanza) capabilities() (policy.Capability, error) {
	var c policy.Capability
	if s.Policy != "" {
		old, ok := oldPolicies[s.Policy]
		if !ok {
			return 0, fmt.Errorf("invalid policy %q", s.Policy)
		}
		c = old
	}
	for _, n := range s.Capabilities {
		bit, ok := names[n]
		if !ok {
			return 0, fmt.Errorf("invalid capability %q", n)
		}
		c |= bit
	}
	if c&policy.Deny != 0 {
		c = policy.Deny
	}
	return c, nil
}

// parameters lower-cases the keys and brings the values into canonical JSON.
func parameters(in map[string][]any) (map[string][]string, error) {
	if len(in) == 0 {
		return nil, nil
	}
	out := make(map[string][]string, len(in))
	for k, vs := range in {
		list := []string{}
		for _, v := range vs {
			b, err := json.Marshal(v)
			if err != nil {
				return nil, fmt.Errorf("parameter %q: %w", k, err)
			}
			list = append(list, string(b))
		}
		out[strings.ToLower(k)] = list
	}
	return out, nil
}

func (s *stanza) wrapping(r *policy.Rule) error {
	var err error
	if r.MinWrappingTTL, err = duration(s.Min); err != nil {
		return fmt.Errorf("error parsing min_wrapping_ttl: %w", err)
	}
	if r.MaxWrappingTTL, err = duration(s.Max); err != nil {
		return fmt.Errorf("error parsing max_wrapping_ttl: %w", err)
	}
	if r.MinWrappingTTL != 0 && r.MaxWrappingTTL != 0 && r.MaxWrappingTTL < r.MinWrappingTTL {
		return errors.New("max_wrapping_ttl cannot be less than min_wrapping_ttl")
	}
	return nil
}

// duration reads seconds as a number or a string, or a Go duration.
func duration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int:
		return time.Duration(v) * time.Second, nil
	case string:
		if v == "" {
			return 0, nil
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return time.Duration(n) * time.Second, nil
		}
		return time.ParseDuration(v)
	}
	return 0, fmt.Errorf("%v is neither a number of seconds nor a duration", v)
}

// Format brings the text of a policy into canonical form, as `policy fmt` shows it.
func Format(text string) (out string, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("not a policy: %v", r)
		}
	}()
	if _, err := Parse("", text); err != nil {
		return "", err
	}
	b, err := printer.Format([]byte(text))
	if err != nil {
		return "", err
	}
	return string(b), nil
}
