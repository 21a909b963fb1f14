package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"
)

// printer shows answers in the chosen format.
type printer struct {
	out    io.Writer
	format string
	field  string
}

func newPrinter(env *environment, f *clientFlags) (*printer, error) {
	p := &printer{out: env.stdout, format: strings.ToLower(setting(env, f.format, "FORMAT")), field: f.field}
	switch p.format {
	case "":
		p.format = "table"
	case "table", "json", "yaml":
	default:
		return nil, fmt.Errorf("format %q: table, json and yaml are allowed", p.format)
	}
	return p, nil
}

// show prints a whole answer: as the server sent it, or flat for tables and -field.
func (p *printer) show(raw map[string]any, flat []row) error {
	if p.field != "" {
		return p.only(flat)
	}
	if p.format != "table" {
		return p.encode(raw)
	}
	p.warnings(raw)
	return p.table([]string{"Key", "Value"}, rowsOf(flat))
}

// row is one line of a two-column table.
type row struct {
	key   string
	value any
}

func (p *printer) warnings(raw map[string]any) {
	ws, _ := raw["warnings"].([]any)
	if len(ws) == 0 {
		return
	}
	fmt.Fprintf(p.out, "WARNING! The following warnings were returned from the server:\n\n")
	for _, w := range ws {
		fmt.Fprintf(p.out, "  * %v\n\n", w)
	}
}

// only prints one field bare.
func (p *printer) only(flat []row) error {
	for _, r := range flat {
		if r.key != p.field {
			continue
		}
		if p.format == "table" {
			_, err := io.WriteString(p.out, plain(r.value)+"\n")
			return err
		}
		return p.encode(r.value)
	}
	return fmt.Errorf("field %q is not in the answer", p.field)
}

func (p *printer) encode(v any) error {
	if p.format == "yaml" {
		e := yaml.NewEncoder(p.out)
		e.SetIndent(2)
		if err := e.Encode(numbers(v)); err != nil {
			return err
		}
		return e.Close()
	}
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.out, "%s\n", b)
	return err
}

// numbers turns JSON numbers into what YAML prints as numbers.
func numbers(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
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

// table prints columns with underlined heads.
func (p *printer) table(heads []string, rows [][]string) error {
	widths := make([]int, len(heads))
	under := make([]string, len(heads))
	for i, h := range heads {
		under[i] = strings.Repeat("-", len(h))
		widths[i] = len(h)
	}
	for _, r := range rows {
		for i, cell := range r {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for _, r := range append([][]string{heads, under}, rows...) {
		var b strings.Builder
		for i, cell := range r {
			if i == len(r)-1 {
				b.WriteString(cell)
			} else {
				fmt.Fprintf(&b, "%-*s", widths[i]+4, cell)
			}
		}
		if _, err := fmt.Fprintln(p.out, strings.TrimRight(b.String(), " ")); err != nil {
			return err
		}
	}
	return nil
}

func rowsOf(flat []row) [][]string {
	var out [][]string
	for _, r := range flat {
		out = append(out, []string{r.key, plain(r.value)})
	}
	return out
}

// plain writes a value for a table cell.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "n/a"
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = fmt.Sprintf("%q", plain(e))
		}
		return "[" + strings.Join(parts, " ") + "]"
	case map[string]any:
		var parts []string
		for k, e := range v {
			parts = append(parts, k+":"+plain(e))
		}
		sort.Strings(parts)
		return "map[" + strings.Join(parts, " ") + "]"
	}
	return fmt.Sprint(v)
}

// dataRows are the keys of data, sorted.
func dataRows(raw map[string]any) []row {
	data, _ := raw["data"].(map[string]any)
	var rows []row
	for k, v := range data {
		if strings.HasSuffix(k, "ttl") {
			v = humanTTL(v)
		}
		rows = append(rows, row{k, v})
	}
	sort.Slice(rows, func(i, j int) bool { return rows[i].key < rows[j].key })
	return rows
}

// authRows are what a token-issuing answer shows.
func authRows(raw map[string]any) []row {
	a, _ := raw["auth"].(map[string]any)
	rows := []row{{"token", a["client_token"]}, {"token_accessor", a["accessor"]}}
	if d, ok := a["lease_duration"].(json.Number); ok && d.String() != "0" {
		rows = append(rows, row{"token_duration", humanTTL(d)})
	} else {
		rows = append(rows, row{"token_duration", "∞"})
	}
	rows = append(rows,
		row{"token_renewable", a["renewable"]}, row{"token_policies", a["token_policies"]},
		row{"identity_policies", []any{}}, row{"policies", a["policies"]})
	meta, _ := a["metadata"].(map[string]any)
	var keys []string
	for k := range meta {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	for _, k := range keys {
		rows = append(rows, row{"token_meta_" + k, meta[k]})
	}
	return rows
}

// humanTTL writes a number of seconds as a duration.
func humanTTL(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	s, err := n.Int64()
	if err != nil {
		return v
	}
	if s == 0 {
		return "0s"
	}
	return humanSeconds(s)
}

func humanSeconds(s int64) string {
	var b strings.Builder
	for _, u := range []struct {
		n    int64
		name string
	}{{3600, "h"}, {60, "m"}, {1, "s"}} {
		if s >= u.n {
			fmt.Fprintf(&b, "%d%s", s/u.n, u.name)
			s %= u.n
		}
	}
	return b.String()
}
