package main

import (
	"encoding/json"
	"fmt"
	"io"
	"sort"
	"strings"
	"time"
	"unicode/utf8"
)

// row is one line of a two-column table.
type row struct {
	key   string
	value any
}

// writeTable writes columns with underlined heads, as the reference's CLI does: an empty
// cell is "n/a", and no line ends with blanks.
func writeTable(w io.Writer, heads []string, rows [][]string) error {
	under := make([]string, len(heads))
	widths := make([]int, len(heads))
	for i, h := range heads {
		under[i] = strings.Repeat("-", len(h))
	}
	all := append([][]string{heads, under}, rows...)
	for _, r := range all {
		for i := range r {
			if r[i] = strings.TrimSpace(r[i]); r[i] == "" {
				r[i] = "n/a"
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i]))
		}
	}
	for _, r := range all {
		line := ""
		for i, cell := range r {
			line += cell
			if i < len(r)-1 {
				line += strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+4)
			}
		}
		if _, err := fmt.Fprintln(w, line); err != nil {
			return err
		}
	}
	return nil
}

// plain writes a value for a table cell, as Go's %v does for what the reference decodes into.
func plain(v any) string {
	switch v := v.(type) {
	case nil:
		return "<nil>"
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = plain(e)
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

// quoted is plain, but with the texts of a list in quotes.
func quoted(v any) string {
	list, _ := v.([]any)
	parts := make([]string, len(list))
	for i, e := range list {
		parts[i] = fmt.Sprintf("%q", plain(e))
	}
	return "[" + strings.Join(parts, " ") + "]"
}

// duration writes a number of seconds as a duration without zero parts: 1h, 1h1s.
func duration(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	s, err := n.Int64()
	if err != nil {
		return v
	}
	d := (time.Duration(s) * time.Second).String()
	if strings.HasSuffix(d, "m0s") {
		d = strings.TrimSuffix(d, "0s")
	}
	return strings.Replace(d, "h0m", "h", 1)
}

// isDuration reports whether a field of that name is a number of seconds.
func isDuration(key string) bool {
	for _, name := range []string{"period", "ttl", "duration"} {
		if key == name || strings.HasSuffix(key, "_"+name) {
			return true
		}
	}
	return key == "lease_max" || key == "ttl_max"
}
