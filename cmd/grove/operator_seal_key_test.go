package main

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
)

// TestSealKey: what a data directory holds is what another cluster is given.
func TestSealKey(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if _, err := sealKeyOf(dir); err == nil {
		t.Error("a seal key of an empty directory")
	}
	want, err := seal.NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c, err := pki.Found(rand.Reader, pki.Name{Cluster: "c", Node: "n", Birth: "b"}, time.Now(), time.Hour, want)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Save(dir); err != nil {
		t.Fatal(err)
	}
	got, err := sealKeyOf(dir)
	if err != nil || got != want {
		t.Errorf("read back %v, %v", got == want, err)
	}
	file := filepath.Join(dir, "seal.key")
	if err := os.WriteFile(file, []byte(got.Text()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if back, err := readSealKey(file); err != nil || back != want {
		t.Errorf("from the file %v, %v", back == want, err)
	}
	if err := os.WriteFile(file, []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := readSealKey(file); err == nil {
		t.Error("a malformed file is taken")
	}
	if none, err := readSealKey(""); err != nil || !none.IsZero() {
		t.Errorf("without a file: %v", err)
	}
}
