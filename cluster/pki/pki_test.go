package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster/seal"
)

const week = 7 * 24 * time.Hour

var now = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func found(t *testing.T, cluster, node string) *Credentials {
	t.Helper()
	c, err := Found(rand.Reader, Name{cluster, node, "b"}, now, week, seal.Key{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func public(c *Credentials) ed25519.PublicKey { return c.Key.Public().(ed25519.PublicKey) }

func TestNames(t *testing.T) {
	t.Parallel()
	for _, n := range []Name{{"c", "n1", ""}, {"a:b/c", "ü node %:?#", "b:1"}, {"..", "\x01", "2"}} {
		c, err := Found(rand.Reader, n, now, week, seal.Key{})
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Bundle.Verify(n.Cluster, c.Certificate, x509.ExtKeyUsageClientAuth, now)
		if got != n || err != nil {
			t.Errorf("%q comes back as %q, %v", n, got, err)
		}
	}
}

func TestVerify(t *testing.T) {
	t.Parallel()
	a := found(t, "a", "n1")
	issue := func(n Name) *x509.Certificate {
		c, err := a.Bundle.Issuing().Issue(rand.Reader, n, public(a), now, week)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	bare, err := Bare(rand.Reader, a.Key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		leaf    *x509.Certificate
		at      time.Time
		foreign bool
		want    string
	}{
		"own":                          {a.Certificate, now, false, ""},
		"a clock half an hour behind":  {a.Certificate, now.Add(-30 * time.Minute), false, ""},
		"another node":                 {issue(Name{"a", "n2", "b"}), now, false, ""},
		"another cluster of that name": {found(t, "a", "n1").Certificate, now, true, "not signed by the cluster's authority"},
		"another cluster's name":       {issue(Name{"b", "n1", "b"}), now, true, "of cluster b"},
		"expired":                      {a.Certificate, now.Add(week + time.Second), false, "expired"},
		"not valid yet":                {a.Certificate, now.Add(-2 * time.Hour), false, "not yet valid"},
		"signed by itself":             {bare.Leaf, now, true, "not signed by the cluster's authority"},
		"the authority itself":         {a.Bundle.Issuing().Certificate, now, false, "names no node"},
	} {
		_, err := a.Bundle.Verify("a", c.leaf, x509.ExtKeyUsageServerAuth, c.at)
		if (c.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), c.want)) || errors.Is(err, ErrForeign) != c.foreign {
			t.Errorf("%s: %v, want %q, foreign %v", name, err, c.want, c.foreign)
		}
	}
}

// TestNodesSignNothing: a node's certificate is not good for signing another.
func TestNodesSignNothing(t *testing.T) {
	t.Parallel()
	c := found(t, "a", "n1")
	rogue, err := Authority{Certificate: c.Certificate, Key: c.Key}.Issue(rand.Reader, Name{"a", "n2", "b"}, public(c), now, week)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Bundle.Verify("a", rogue, x509.ExtKeyUsageServerAuth, now); !errors.Is(err, ErrForeign) {
		t.Errorf("a certificate that a node signed: %v", err)
	}
}

func TestCredentialsOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if c, err := Load(dir); c != nil || err != nil {
		t.Errorf("no file: %v, %v", c, err)
	}
	want := found(t, "a", "n1")
	if err := want.Save(dir); err != nil {
		t.Fatal(err)
	}
	name := file(dir)
	st, err := os.Stat(name)
	if err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v, want 0600", st.Mode(), err)
	}
	got, err := Load(dir)
	if err != nil || got.Name != want.Name || !got.Key.Equal(want.Key) || !got.Certificate.Equal(want.Certificate) || !got.Bundle.Issuing().Key.Equal(want.Bundle.Issuing().Key) {
		t.Errorf("read back %+v, %v", got, err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.json.*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, mode := range []os.FileMode{0o640, 0o604, 0o602, 0o666} {
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), "want 0600") {
			t.Errorf("mode %04o: %v", mode, err)
		}
	}
}

// TestDamagedCredentials: whatever does not fit together is refused, with the file's name.
func TestDamagedCredentials(t *testing.T) {
	t.Parallel()
	good, other := found(t, "a", "n1"), found(t, "a", "n2")
	for name, change := range map[string]func(f *fileJSON){
		"newer format":                  func(f *fileJSON) { f.Format = 99 },
		"short key":                     func(f *fileJSON) { f.Key = f.Key[:31] },
		"another key":                   func(f *fileJSON) { f.Key = other.Key.Seed() },
		"no certificate":                func(f *fileJSON) { f.Certificate = nil },
		"another cluster's certificate": func(f *fileJSON) { f.Certificate, f.Key = other.Certificate.Raw, other.Key.Seed() },
		"another node":                  func(f *fileJSON) { f.NodeID = "n2" },
		"no authority":                  func(f *fileJSON) { f.Authorities = nil },
		"authority without key":         func(f *fileJSON) { f.Authorities[0].Key = nil },
		"authority with another key":    func(f *fileJSON) { f.Authorities[0].Key = other.Bundle.Issuing().Key.Seed() },
		"issuer out of range":           func(f *fileJSON) { f.Issuer = -1 },
	} {
		f := fileJSON{grantJSON: good.grant(), Key: good.Key.Seed()}
		change(&f)
		b, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		loadDamaged(t, name, b)
	}
	loadDamaged(t, "nonsense", []byte("nonsense"))
	loadDamaged(t, "empty", nil)
}

func loadDamaged(t *testing.T, name string, b []byte) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(file(dir), b, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(dir); err == nil || !strings.Contains(err.Error(), file(dir)) || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("%s: %v", name, err)
	}
}

func TestRenew(t *testing.T) {
	t.Parallel()
	c := found(t, "a", "n1")
	for at, want := range map[time.Duration]bool{0: false, week/3*2 - time.Minute: false, week/3*2 + time.Minute: true, 10 * week: true} {
		if got := c.Due(now.Add(at)); got != want {
			t.Errorf("due after %s: %v, want %v", at, got, want)
		}
	}
	later := now.Add(10 * week)
	r, err := c.Renew(rand.Reader, later, week)
	if err != nil || r.Name != c.Name || r.Key.Equal(c.Key) || r.Due(later) {
		t.Fatalf("renewed %+v, %v", r, err)
	}
	if _, err := c.Bundle.Verify("a", r.Certificate, x509.ExtKeyUsageClientAuth, later); err != nil {
		t.Errorf("the renewed certificate: %v", err)
	}
	next, err := NewAuthority(rand.Reader, "a", later)
	if err != nil {
		t.Fatal(err)
	}
	r.Bundle = Bundle{Version: 1, Authorities: []Authority{r.Bundle.Authorities[0], next}, Issuer: 1}
	if !r.Due(later) {
		t.Error("a certificate of another authority than the one that signs is not due")
	}
	aged, err := c.Renew(rand.Reader, now.Add(authorityLife-time.Hour), week)
	if err != nil || aged.Certificate.NotAfter.After(c.Bundle.Issuing().Certificate.NotAfter) {
		t.Errorf("the certificate outlives its authority: %v, %v", aged.Certificate.NotAfter, err)
	}
}

func TestEnroll(t *testing.T) {
	t.Parallel()
	m := found(t, "a", "n1")
	a, err := NewApplicant(rand.Reader, "n2", "b")
	if err != nil {
		t.Fatal(err)
	}
	request, err := a.Request(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	node, key, err := ParseRequest(request)
	if node != (Name{Node: "n2", Birth: "b"}) || err != nil {
		t.Fatalf("request of %q, %v", node, err)
	}
	grant, err := m.Grant(rand.Reader, node, key, now, week)
	if err != nil {
		t.Fatal(err)
	}
	c, err := a.Accept(grant)
	if err != nil || c.Name != (Name{"a", "n2", "b"}) {
		t.Fatalf("accepted %+v, %v", c, err)
	}
	for x, y := range map[*Credentials]*Credentials{m: c, c: m} {
		if _, err := x.Bundle.Verify("a", y.Certificate, x509.ExtKeyUsageServerAuth, now); err != nil {
			t.Errorf("%s does not believe %s: %v", x.Name.Node, y.Name.Node, err)
		}
	}
	if strings.Contains(string(grant), string(m.Key.Seed())) {
		t.Error("the member handed over its own key")
	}
	other, err := NewApplicant(rand.Reader, "n2", "b")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Accept(grant); err == nil {
		t.Error("a grant for another key was accepted")
	}
	if _, err := (&Applicant{Node: "n3", key: a.key}).Accept(grant); err == nil {
		t.Error("a grant for another node was accepted")
	}
	request[len(request)-1] ^= 1
	if _, _, err := ParseRequest(request); err == nil {
		t.Error("a request with a broken signature was accepted")
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	authority := found(t, "a", "n1").Bundle.Issuing().Fingerprint()
	a, err := NewJoinToken(rand.Reader, authority)
	if err != nil {
		t.Fatal(err)
	}
	back, err := ParseJoinToken(" " + a.Text() + "\n")
	if err != nil || back.Authority != authority || !back.Key().Equal(a.Key()) {
		t.Errorf("read back %v, %v", back.Authority, err)
	}
	text := a.Text()
	for _, bad := range []string{"", "gjt.", text[4:], text[:len(text)-1], text + "A", "hvs." + text[4:], strings.Replace(text, "gjt.", "gjt.*", 1)} {
		if _, err := ParseJoinToken(bad); err == nil || strings.Contains(err.Error(), text[8:40]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	key := strings.Repeat("k", MinClusterKey)
	x, err := ClusterKey(key)
	if err != nil {
		t.Fatal(err)
	}
	y, err := ClusterKey(key + "\n") // as it stands in a file
	if err != nil || !x.Equal(y) {
		t.Errorf("the newline at the end counts: %v", err)
	}
	if _, err := ClusterKey(key[1:]); err == nil {
		t.Error("a short cluster key was accepted")
	}
	if _, err := ClusterKey(""); err == nil {
		t.Error("an empty cluster key was accepted")
	}
}

func TestDerive(t *testing.T) {
	t.Parallel()
	a, b := found(t, "a", "n1").Bundle.Issuing(), found(t, "a", "n1").Bundle.Issuing()
	seen := map[string]bool{}
	for _, d := range []struct {
		of               Authority
		cluster, purpose string
	}{{a, "a", "gossip"}, {b, "a", "gossip"}, {a, "b", "gossip"}, {a, "a", "else"}} {
		k, err := d.of.Derive(d.cluster, d.purpose, 32)
		if err != nil || len(k) != 32 || seen[string(k)] {
			t.Errorf("%s for %s: %x, %v", d.purpose, d.cluster, k, err)
		}
		seen[string(k)] = true
	}
}

func FuzzRequest(f *testing.F) {
	a, err := NewApplicant(rand.Reader, "n", "b")
	if err != nil {
		f.Fatal(err)
	}
	der, err := a.Request(rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	f.Fuzz(func(t *testing.T, der []byte) {
		node, key, err := ParseRequest(der)
		if err == nil && (node == (Name{}) || len(key) != ed25519.PublicKeySize) {
			t.Errorf("accepted node %q with a key of %d bytes", node, len(key))
		}
	})
}

func FuzzGrant(f *testing.F) {
	m, err := Found(rand.Reader, Name{"a", "n1", "b"}, now, week, seal.Key{})
	if err != nil {
		f.Fatal(err)
	}
	a, err := NewApplicant(rand.Reader, "n2", "b")
	if err != nil {
		f.Fatal(err)
	}
	grant, err := m.Grant(rand.Reader, Name{Node: "n2", Birth: "b"}, a.key.Public().(ed25519.PublicKey), now, week)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(grant)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := a.Accept(b); err == nil && c.Name.Node != "n2" {
			t.Errorf("accepted the credentials of %q", c.Name.Node)
		}
	})
}
