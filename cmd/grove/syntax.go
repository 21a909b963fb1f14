package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/hcl/ast"
	"github.com/hashicorp/hcl/hcl/parser"
	"github.com/hashicorp/hcl/hcl/token"
)

// position is where something is in a configuration file; both count from 1.
type position struct{ line, column int }

// positionError is what is wrong, and where.
type positionError struct {
	position
	text string
}

// Error implements error: "line:column: text".
func (e *positionError) Error() string { return fmt.Sprintf("%d:%d: %s", e.line, e.column, e.text) }

func (p position) errorf(format string, args ...any) error {
	return &positionError{p, fmt.Sprintf(format, args...)}
}

// item is `key = value`, or `key "label" { … }`: then the value is []item.
type item struct {
	position
	keys  []string
	value any // string, bool, json.Number, []any or []item
}

// parseItems reads a configuration file. Like the reference, it takes a file that starts
// with a brace for JSON, and anything else for HCL.
func parseItems(text string) ([]item, error) {
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		return parseJSON(text)
	}
	return parseHCL(text)
}

func parseHCL(text string) (items []item, err error) {
	defer func() { // the parser panics on some texts
		if r := recover(); r != nil {
			err = position{1, 1}.errorf("not a configuration: %v", r)
		}
	}()
	f, err := parser.Parse([]byte(text))
	if err != nil {
		return nil, located(err)
	}
	list, ok := f.Node.(*ast.ObjectList)
	if !ok {
		return nil, position{1, 1}.errorf("not a configuration")
	}
	return itemsOf(list)
}

// anyPosition finds the position that some errors of the parser have in their text only.
var anyPosition = regexp.MustCompile(`\bat (\d+):(\d+)\b`)

func located(err error) error {
	var at *parser.PosError
	if errors.As(err, &at) {
		return positionOf(at.Pos).errorf("%v", at.Err)
	}
	if m := anyPosition.FindStringSubmatch(err.Error()); m != nil {
		line, _ := strconv.Atoi(m[1])
		column, _ := strconv.Atoi(m[2])
		return position{line, column}.errorf("%v", err)
	}
	return position{1, 1}.errorf("%v", err)
}

func positionOf(p token.Pos) position { return position{max(p.Line, 1), max(p.Column, 1)} }

func itemsOf(list *ast.ObjectList) ([]item, error) {
	items := make([]item, 0, len(list.Items))
	for _, o := range list.Items {
		it := item{position: positionOf(o.Pos())}
		for _, k := range o.Keys {
			it.keys = append(it.keys, fmt.Sprint(k.Token.Value()))
		}
		var err error
		if it.value, err = valueOf(o.Val); err != nil {
			return nil, err
		}
		if list, ok := it.value.([]any); ok && len(list) > 0 { // retry_join = [{…}, {…}]
			if each, ok := blocksOf(it, list); ok {
				items = append(items, each...)
				continue
			}
		}
		items = append(items, it)
	}
	return items, nil
}

func valueOf(n ast.Node) (any, error) {
	switch n := n.(type) {
	case *ast.ObjectType:
		return itemsOf(n.List)
	case *ast.ListType:
		list := []any{}
		for _, e := range n.List {
			v, err := valueOf(e)
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		return list, nil
	case *ast.LiteralType:
		if n.Token.Type == token.NUMBER || n.Token.Type == token.FLOAT {
			return json.Number(n.Token.Text), nil
		}
		return n.Token.Value(), nil
	}
	return nil, positionOf(n.Pos()).errorf("a value of an unknown kind")
}

// blocksOf turns a list of blocks into as many items.
func blocksOf(it item, list []any) ([]item, bool) {
	var out []item
	for _, v := range list {
		block, ok := v.([]item)
		if !ok {
			return nil, false
		}
		out = append(out, item{it.position, it.keys, block})
	}
	return out, true
}

// parseJSON reads the JSON form. The parser of the HCL library drops the positions.
func parseJSON(text string) ([]item, error) {
	r := &jsonReader{d: json.NewDecoder(strings.NewReader(text)), text: []byte(text)}
	r.d.UseNumber()
	v, err := r.value()
	if err == nil && r.d.More() {
		err = errors.New("text after the closing brace")
	}
	var at *positionError
	if err != nil && !errors.As(err, &at) {
		offset := r.d.InputOffset()
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			offset = max(offset, syntax.Offset-1)
		}
		err = r.position(offset).errorf("%v", err)
	}
	if err != nil {
		return nil, err
	}
	return v.([]item), nil
}

type jsonReader struct {
	d    *json.Decoder
	text []byte
}

func (r *jsonReader) position(offset int64) position {
	before := r.text[:min(int(offset), len(r.text))]
	line := bytes.Count(before, []byte{'\n'})
	return position{line + 1, len(before) - bytes.LastIndexByte(before, '\n')}
}

func (r *jsonReader) value() (any, error) {
	t, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	switch t {
	case json.Delim('{'):
		return r.object()
	case json.Delim('['):
		list := []any{}
		for r.d.More() {
			v, err := r.value()
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		_, err := r.d.Token()
		return list, err
	}
	return t, nil
}

func (r *jsonReader) object() ([]item, error) {
	items := []item{}
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		key, _ := t.(string)
		quoted, _ := json.Marshal(key)
		at := r.position(r.d.InputOffset() - int64(len(quoted)))
		v, err := r.value()
		if err != nil {
			return nil, err
		}
		items = append(items, flatten(item{at, []string{key}, v})...)
	}
	_, err := r.d.Token()
	return items, err
}

// flatten makes of JSON's `"storage": {"raft": {…}}` what HCL writes as `storage "raft" {…}`,
// and of a list of blocks as many blocks: as the HCL library does.
func flatten(it item) []item {
	var out []item
	switch v := it.value.(type) {
	case []any:
		blocks, ok := blocksOf(it, v)
		if !ok || len(blocks) == 0 {
			return []item{it}
		}
		for _, b := range blocks {
			out = append(out, flatten(b)...)
		}
		return out
	case []item:
		if len(v) == 0 {
			return []item{it}
		}
		for _, sub := range v {
			if _, ok := sub.value.([]item); !ok {
				return []item{it}
			}
			out = append(out, item{it.position, append(append([]string{}, it.keys...), sub.keys...), sub.value})
		}
		return out
	}
	return []item{it}
}
