package chart

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"testing"
)

func sample() Chart {
	return Chart{Title: "t", X: "x", Y: "y", LogX: true, LogY: true, Lines: []Line{
		{Name: "measured", Points: []Point{{1, 10}, {10, 20}}},
		{Name: "modelled", Modelled: true, Points: []Point{{1, 11}, {10, 19}}},
		{Name: "nothing"},
	}}
}

func TestSaveIsRepeatable(t *testing.T) {
	var files [2][]byte
	for i := range files {
		name := filepath.Join(t.TempDir(), "a.svg")
		if err := sample().Save(name); err != nil {
			t.Fatal(err)
		}
		var err error
		if files[i], err = os.ReadFile(name); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Contains(files[0], []byte("<svg")) || !bytes.Contains(files[0], []byte("measured")) {
		t.Errorf("no SVG with the line's name:\n%.300s", files[0])
	}
	if !bytes.Equal(files[0], files[1]) {
		t.Error("the same chart gave other bytes")
	}
}

func TestSaveOfOnePoint(t *testing.T) {
	for _, log := range []bool{false, true} {
		c := Chart{Title: "t", LogX: log, LogY: log, Lines: []Line{{Name: "a", Points: []Point{{3, 4}}}}}
		if err := c.Save(filepath.Join(t.TempDir(), "a.svg")); err != nil {
			t.Errorf("log %v: %v", log, err)
		}
	}
}

func TestSaveRefuses(t *testing.T) {
	for name, points := range map[string][]Point{
		"no point": nil, "zero on a logarithmic axis": {{0, 1}}, "negative": {{1, -1}}, "not a number": {{1, math.NaN()}}, "infinite": {{math.Inf(1), 1}},
	} {
		t.Run(name, func(t *testing.T) {
			c := Chart{LogX: true, LogY: true, Lines: []Line{{Name: "a", Points: points}}}
			file := filepath.Join(t.TempDir(), "a.svg")
			if err := c.Save(file); err == nil {
				t.Error("no error")
			}
			if _, err := os.Stat(file); err == nil {
				t.Error("there is a file all the same")
			}
		})
	}
	c := sample()
	if err := c.Save(filepath.Join(t.TempDir(), "missing", "a.svg")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

func TestShort(t *testing.T) {
	for v, want := range map[float64]string{5e6: "5M", 1e4: "10k", 1500: "1500", 0.25: "0.25", 1.5e6: "1.5M"} {
		if got := short(v); got != want {
			t.Errorf("short(%g) = %q, want %q", v, got, want)
		}
	}
}
