package snapshot

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fxamacker/cbor/v2"

	"github.com/tokengrove/grove/fsm"
)

var update = flag.Bool("update", false, "write fixtures of the current version that are missing, and all dumps")

// TestGolden restores the files of every released version, for ever.
func TestGolden(t *testing.T) {
	if *update {
		writeFixtures(t)
	}
	for version := 1; version <= Version; version++ {
		files, err := filepath.Glob(fmt.Sprintf("testdata/v%d-*.snap", version))
		if err != nil {
			t.Fatal(err)
		}
		if len(files) < 3 {
			t.Errorf("version %d has the fixtures %v, want 3 or more", version, files)
		}
		for _, file := range files {
			t.Run(filepath.Base(file), func(t *testing.T) { compareFixture(t, file) })
		}
	}
}

func compareFixture(t *testing.T, file string) {
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Read(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	got, dump := rows(t, m), strings.TrimSuffix(file, ".snap")+".rows"
	if *update {
		if err := os.WriteFile(dump, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(dump)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("restores to other rows than %s has; got\n%s", dump, got)
	}
}

// writeFixtures writes what is missing: a file that is there may be one that a release wrote.
func writeFixtures(t *testing.T) {
	for name, m := range map[string]*fsm.Machine{
		"empty":      fsm.New(),
		"all-kinds":  sample(t, 40).machine,
		"joining":    sample(t, 1).machine,
		"audit":      sample(t, 2).machine,
		"members":    sample(t, 2).machine,
		"reclaiming": reclaiming(t).machine,
		"answers":    answering(t).machine,
		"cubbyholes": keeping(t).machine,
		"sealing":    sealing(t).machine,
		"leases":     lending(t).machine,
	} {
		file := filepath.Join("testdata", fmt.Sprintf("v%d-%s.snap", Version, name))
		if _, err := os.Stat(file); err == nil {
			continue
		}
		if err := os.WriteFile(file, written(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// rows shows the rows of m in CBOR diagnostic notation, one a line after its kind.
func rows(t *testing.T, m *fsm.Machine) []byte {
	t.Helper()
	var b bytes.Buffer
	err := encodeRows(m.Freeze(), func(head, body []byte) error {
		text, err := cbor.Diagnose(body)
		fmt.Fprintf(&b, "%d %s\n", head[0], text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
