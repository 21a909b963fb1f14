package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnit: systemd finds nothing wrong with the unit, and the configuration beside it is read.
func TestUnit(t *testing.T) {
	t.Parallel()
	if _, warnings, err := loadConfig([]string{"../../scripts/debian/etc/grove"}, &environment{getenv: func(string) string { return "" }}); err != nil || len(warnings) > 0 {
		t.Errorf("the packaged configuration: %v, %v", err, warnings)
	}
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIPPED: no systemd-analyze here, so that scripts/systemd/grove.service is not verified")
	}
	b, err := os.ReadFile("../../scripts/systemd/grove.service")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable() // systemd wants a program that is there
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "grove.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(b), "/usr/bin/grove", self)), 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", unit).CombinedOutput()
	if err != nil || strings.Contains(string(out), "grove.service") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
}
