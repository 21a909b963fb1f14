package main

import (
	"fmt"
	"io"
	"time"
)

// verdict is one line of the table.
type verdict struct {
	what, value, bar string
	kept             bool
}

// table gathers verdicts.
type table struct{ lines []verdict }

// time says how long something took; no bar: it is only told.
func (t *table) time(what string, took, bar time.Duration) {
	v := verdict{what: what, value: rounded(took), kept: bar == 0 || took <= bar}
	if bar > 0 {
		v.bar = rounded(bar)
	}
	t.lines = append(t.lines, v)
}

// bytes says how many bytes something takes.
func (t *table) bytes(what string, n, bar float64) {
	t.lines = append(t.lines, verdict{what, fmt.Sprintf("%.0f B", n), fmt.Sprintf("%.0f B", bar), n <= bar})
}

func rounded(d time.Duration) string {
	switch {
	case d < 10*time.Millisecond:
		return d.Round(10 * time.Microsecond).String()
	case d < 10*time.Second:
		return d.Round(time.Millisecond).String()
	}
	return d.Round(100 * time.Millisecond).String()
}

// print writes the table as Markdown.
func (t *table) print(w io.Writer) error {
	if _, err := fmt.Fprint(w, "| | measured | bar | |\n|---|---|---|---|\n"); err != nil {
		return err
	}
	for _, v := range t.lines {
		mark := map[bool]string{true: "kept", false: "MISSED"}[v.kept]
		if v.bar == "" {
			mark = ""
		}
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s |\n", v.what, v.value, v.bar, mark); err != nil {
			return err
		}
	}
	return nil
}
