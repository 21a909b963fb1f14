package pki

import (
	"crypto/rand"
	"os"
	"regexp"
	"testing"

	"github.com/tokengrove/grove/cluster/seal"
)

// TestSealKeyOfAnEarlierBuild: members whose files have no seal key derive the same one, and what is saved outlives
// the authority that it was derived from.
func TestSealKeyOfAnEarlierBuild(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	c, err := Found(rand.Reader, Name{"c1", "n1", "b"}, now, week, seal.Key{})
	if err != nil {
		t.Fatal(err)
	}
	if c.Bundle.Seal.IsZero() || c.Save(dir) != nil {
		t.Fatal("no seal key, or not saved")
	}
	if back, err := Load(dir); err != nil || back.Derived() || back.Bundle.Seal != c.Bundle.Seal {
		t.Errorf("a stored seal key is read as derived, or as another: %v", err)
	}
	b, err := os.ReadFile(file(dir))
	if err != nil {
		t.Fatal(err)
	}
	old := regexp.MustCompile(`,\s*"seal_key": "[^"]*"`).ReplaceAll(b, nil)
	if len(old) == len(b) {
		t.Fatal("the file has no seal key")
	}
	var keys [2]seal.Key
	for i := range keys {
		if err := WriteFile(file(dir), old); err != nil {
			t.Fatal(err)
		}
		got, err := Load(dir)
		if err != nil || !got.Derived() || got.Bundle.Seal.IsZero() || got.Bundle.Seal == c.Bundle.Seal {
			t.Fatalf("%v", err)
		}
		keys[i] = got.Bundle.Seal
		if i == 1 {
			after, err := NewAuthority(rand.Reader, "c1", now)
			if err != nil {
				t.Fatal(err)
			}
			next, err := got.Bundle.Follow(1, [][]byte{after.Certificate.Raw}, 0)
			if err != nil || next.Seal != keys[0] {
				t.Errorf("a rotation changes the seal key: %v", err)
			}
		}
	}
	if keys[0] != keys[1] {
		t.Error("two members derive different seal keys")
	}
}
