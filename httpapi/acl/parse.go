package acl

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/hcl/ast"

	"github.com/tokengrove/grove/fsm/policy"
)

// MaxText bounds the text of a policy, in bytes.
const MaxText = 1 << 20

// Parse reads a policy. Errors have the reference's wording, without its
// "failed to parse policy: ".
func Parse(name, text string) (p policy.Policy, err error) {
	// The parser of HCL 1 and its tokens panic at some texts: here that is an error.
	defer func() {
		if r := recover(); r != nil {
			p, err = policy.Policy{}, fmt.Errorf("not a policy: %v", r)
		}
	}()
	list, err := objects(text)
	if err != nil {
		return policy.Policy{}, err
	}
	if err := checkKeys(list, "name", "path"); err != nil {
		return policy.Policy{}, err
	}
	var head struct {
		Name string `hcl:"name"` // has no meaning, but must be a string
	}
	if err := hcl.DecodeObject(&head, list); err != nil {
		return policy.Policy{}, err
	}
	p = policy.Policy{Name: name, Text: text}
	for _, item := range list.Filter("path").Items {
		r, err := parseRule(pathOf(item), item.Val)
		if err != nil {
			return policy.Policy{}, err
		}
		p.Rules = append(p.Rules, r)
	}
	return p, nil
}

// objects parses text as HCL or JSON.
func objects(text string) (*ast.ObjectList, error) {
	switch {
	case len(text) > MaxText:
		return nil, fmt.Errorf("the text has %d bytes, at most %d are allowed", len(text), MaxText)
	case !utf8.ValidString(text):
		return nil, errors.New("the text is not valid UTF-8")
	}
	if err := checkDepth(text); err != nil {
		return nil, err
	}
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

// pathOf returns the path of a stanza; one without a path is about "path", as in the reference.
func pathOf(item *ast.ObjectItem) string {
	if len(item.Keys) == 0 {
		return "path"
	}
	path, _ := item.Keys[0].Token.Value().(string)
	return path
}

// maxProblems bounds how many unknown keys one error names.
const maxProblems = 100

// checkKeys refuses keys of node that are not allowed.
func checkKeys(node ast.Node, allowed ...string) error {
	var list *ast.ObjectList
	switch n := node.(type) {
	case *ast.ObjectList:
		list = n
	case *ast.ObjectType:
		list = n.List
	default:
		return fmt.Errorf("cannot check HCL keys of type %T", n)
	}
	var wrong problems
	for _, item := range list.Items {
		if len(item.Keys) == 0 {
			continue
		}
		if len(wrong) == maxProblems {
			break
		}
		key, _ := item.Keys[0].Token.Value().(string)
		if !slices.Contains(allowed, key) {
			wrong = append(wrong, fmt.Sprintf("invalid key %q on line %d", key, item.Assign.Line))
		}
	}
	if wrong != nil {
		return wrong
	}
	return nil
}

// problems are several errors, shown as the reference shows several.
type problems []string

func (p problems) Error() string {
	var b strings.Builder
	if len(p) == 1 {
		b.WriteString("1 error occurred:")
	} else {
		fmt.Fprintf(&b, "%d errors occurred:", len(p))
	}
	for _, s := range p {
		b.WriteString("\n\t* " + s)
	}
	b.WriteString("\n\n")
	return b.String()
}

// at says of which path err is; several errors say it each.
func at(path string, err error) error {
	var many problems
	if !errors.As(err, &many) {
		return fmt.Errorf("path %q: %w", path, err)
	}
	for i := range many {
		many[i] = fmt.Sprintf("path %q: %s", path, many[i])
	}
	return many
}
