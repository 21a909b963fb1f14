package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// printer shows answers in the chosen format.
type printer struct {
	out, err io.Writer
	format   string // table, json or yaml
	field    string // only this one
	terminal bool   // out is one
}

func newPrinter(env *environment, f *clientFlags) (*printer, error) {
	p := &printer{out: env.stdout, err: env.stderr, terminal: env.terminal, format: strings.ToLower(setting(env, f.format, "FORMAT")), field: f.field}
	switch p.format {
	case "":
		p.format = "table"
	case "yml":
		p.format = "yaml"
	case "table", "json", "yaml":
	default:
		return nil, fmt.Errorf("format %q: table, json and yaml are allowed", p.format)
	}
	return p, nil
}

// secret prints an answer: whole in JSON and YAML, its content as a table.
func (p *printer) secret(a *answer) error {
	switch {
	case p.field != "":
		return p.only(fieldOf(a, p.field))
	case p.format == "json":
		return p.indented(a.body)
	case p.format == "yaml":
		return p.encode(a.raw)
	}
	if err := p.warnings(a.raw); err != nil {
		return err
	}
	return p.rows(secretRows(a))
}

// object prints what the client put together itself.
func (p *printer) object(whole map[string]any, rows []row) error {
	if p.field != "" {
		return p.only(whole[p.field])
	}
	if p.format != "table" {
		return p.encode(whole)
	}
	return p.rows(rows)
}

// rows prints two columns, or nothing when there are no rows.
func (p *printer) rows(rows []row) error {
	if len(rows) == 0 {
		return nil
	}
	cells := make([][]string, len(rows))
	for i, r := range rows {
		cells[i] = []string{r.key, plain(r.value)}
	}
	return writeTable(p.out, []string{"Key", "Value"}, cells)
}

// list prints texts, below a head unless that is empty.
func (p *printer) list(keys any, head string) error {
	if p.format != "table" {
		return p.encode(keys)
	}
	list, _ := keys.([]any)
	lines := make([]string, len(list))
	for i, k := range list {
		lines[i] = plain(k)
	}
	if head != "" {
		sort.Strings(lines)
		lines = append([]string{head, strings.Repeat("-", len(head))}, lines...)
	}
	for _, l := range lines {
		if _, err := fmt.Fprintln(p.out, l); err != nil {
			return err
		}
	}
	return nil
}

func (p *printer) warnings(raw map[string]any) error {
	ws, _ := raw["warnings"].([]any)
	if len(ws) == 0 {
		return nil
	}
	text := "WARNING! The following warnings were returned from the server:\n\n"
	for _, w := range ws {
		text += fmt.Sprintf("  * %v\n\n", w)
	}
	_, err := io.WriteString(p.err, text)
	return err
}

// only prints one field bare: a script gets the value and not even a line end.
func (p *printer) only(v any) error {
	if v == nil {
		return fmt.Errorf("field %q is not in the answer", p.field)
	}
	if p.format != "table" {
		return p.encode(v)
	}
	text := plain(v)
	if p.terminal && text != "" {
		text += "\n"
	}
	_, err := io.WriteString(p.out, text)
	return err
}

// indented prints JSON in the order of the server.
func (p *printer) indented(body []byte) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil
	}
	var b bytes.Buffer
	if err := json.Indent(&b, bytes.TrimSpace(body), "", "  "); err != nil {
		return fmt.Errorf("the answer: %w", err)
	}
	b.WriteByte('\n')
	_, err := p.out.Write(b.Bytes())
	return err
}

func (p *printer) encode(v any) error {
	if p.format == "yaml" {
		e := yaml.NewEncoder(p.out)
		e.SetIndent(2)
		return errors.Join(e.Encode(numbers(v)), e.Close())
	}
	e := json.NewEncoder(p.out)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// numbers turns JSON numbers into what YAML prints as numbers.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		if f, err := v.Float64(); err == nil {
			return f
		}
		return v.String()
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[k] = numbers(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = numbers(e)
		}
		return out
	}
	return v
}
