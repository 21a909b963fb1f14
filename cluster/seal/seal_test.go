package seal

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/keyring"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// state is a machine that Keyrings look at.
type state struct {
	t *testing.T
	m *fsm.Machine
}

func newState(t *testing.T, cluster string) *state {
	s := &state{t, fsm.New()}
	s.apply(&fsm.Initialize{
		ClusterID: cluster, Root: token.Record{Hash: token.Hash{1}, Accessor: "a", Type: token.Service, Policies: []string{"root"}, Path: "auth/token/root"},
		Policies: []policy.Policy{{Name: "default"}}, Mounts: []mount.Mount{{Path: "auth/token/", Type: "token"}},
	})
	return s
}

func (s *state) apply(c fsm.Command) fsm.Result {
	s.t.Helper()
	k, body, err := fsm.EncodeCommand(c)
	if err != nil {
		s.t.Fatal(err)
	}
	rs, err := s.m.Apply(s.m.Index()+1, fsm.AppendEntry(nil, fsm.Entry{At: token.Instant(s.m.Index() + 1), Groups: []fsm.Group{{Items: []fsm.Item{{Kind: k, Body: body}}}}}))
	if err != nil {
		s.t.Fatal(err)
	}
	return rs[0]
}

func (s *state) keyring(k Key) *Keyring {
	return New(func(f func(*fsm.Machine)) { f(s.m) }, func() Key { return k }, rand.Reader)
}

// rotate adds a term, and returns what apply made of it.
func (s *state) rotate(k *Keyring) fsm.Result {
	s.t.Helper()
	next, err := k.Mint()
	if err != nil {
		s.t.Fatal(err)
	}
	return s.apply(&fsm.AddKey{Key: next})
}

func newKey(t *testing.T) Key {
	k, err := NewKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// TestKeyring: what any term has sealed opens on every node of the cluster, in its place, and nowhere else.
func TestKeyring(t *testing.T) {
	t.Parallel()
	own := newKey(t)
	s := newState(t, "c1")
	a, b := s.keyring(own), s.keyring(own)
	var e *fsm.Error
	if _, err := a.Seal(nil, nil); !errors.As(err, &e) || e.Code != fsm.Unavailable {
		t.Errorf("sealed without a key: %v", err)
	}
	var old [][]byte
	for range 3 {
		if r := s.rotate(a); r.Err() != nil || r.Stale {
			t.Fatalf("%+v", r)
		}
		sealed, err := a.Seal([]byte("plain"), []byte("here"))
		if err != nil {
			t.Fatal(err)
		}
		old = append(old, sealed)
	}
	for i, sealed := range old {
		if plain, err := b.Open(sealed, []byte("here")); err != nil || string(plain) != "plain" {
			t.Errorf("term %d: %q, %v", i+1, plain, err)
		}
		if _, err := b.Open(sealed, []byte("there")); !errors.Is(err, ErrNotSealed) {
			t.Errorf("opened elsewhere: %v", err)
		}
		if bytes.Contains(sealed, []byte("plain")) || sealed[4] != byte(i+1) {
			t.Errorf("sealed as %x", sealed)
		}
		for at := range sealed { // every bit counts
			bent := bytes.Clone(sealed)
			bent[at] ^= 1
			if _, err := b.Open(bent, []byte("here")); err == nil {
				t.Errorf("opened with byte %d bent", at)
			}
		}
		for n := range sealed {
			if _, err := b.Open(sealed[:n], []byte("here")); !errors.Is(err, ErrNotSealed) {
				t.Errorf("opened %d bytes of it: %v", n, err)
			}
		}
	}
}

// TestRace: of two keys for the same term one counts.
func TestRace(t *testing.T) {
	t.Parallel()
	s := newState(t, "c1")
	k := s.keyring(newKey(t))
	first, err1 := k.Mint()
	second, err2 := k.Mint()
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if r := s.apply(&fsm.AddKey{Key: first}); r.Stale || r.Err() != nil {
		t.Errorf("the first: %+v", r)
	}
	if r := s.apply(&fsm.AddKey{Key: second}); !r.Stale {
		t.Errorf("the second: %+v, want stale", r)
	}
	if len(s.m.Keyring().Keys) != 1 || k.Newest() != nil {
		t.Errorf("keyring %+v, %v", s.m.Keyring(), k.Newest())
	}
}

// TestOtherSealKey: a node with another seal key says so, and names both.
func TestOtherSealKey(t *testing.T) {
	t.Parallel()
	s := newState(t, "c1")
	ours, theirs := s.keyring(newKey(t)), s.keyring(newKey(t))
	s.rotate(theirs)
	sealed, err := theirs.Seal([]byte("x"), nil)
	if err != nil {
		t.Fatal(err)
	}
	var e *fsm.Error
	if _, err = ours.Open(sealed, nil); !errors.As(err, &e) || e.Code != fsm.Unavailable || !strings.Contains(e.Message, "term 1") {
		t.Errorf("opened with another seal key: %v", err)
	}
	if _, err = ours.Seal(nil, nil); err == nil || ours.Newest() == nil || ours.Check() == nil {
		t.Errorf("a node with another seal key can seal: %v", err)
	}
	s.rotate(ours)
	if err := ours.Newest(); err != nil {
		t.Errorf("after a new term: %v", err)
	}
	if ours.Check() == nil {
		t.Error("the first term opens")
	}
}

// TestPlace: a data key is bound to its cluster and its term.
func TestPlace(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	data := make([]byte, KeyLength)
	sealed, err := k.wrap(rand.Reader, "c1", 1, data)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		key  keyring.Key
		good bool
	}{
		"its place":       {keyring.Key{Term: 1, Cluster: "c1", Sealed: sealed}, true},
		"another term":    {keyring.Key{Term: 2, Cluster: "c1", Sealed: sealed}, false},
		"another cluster": {keyring.Key{Term: 1, Cluster: "c2", Sealed: sealed}, false},
		"nothing":         {keyring.Key{Term: 1, Cluster: "c1"}, false},
	} {
		if _, err := k.unwrap(c.key); (err == nil) != c.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestKeyText(t *testing.T) {
	t.Parallel()
	k := newKey(t)
	if back, err := ParseKey(" " + k.Text() + "\n"); err != nil || back != k || back.ID() != k.ID() || k.ID().IsZero() {
		t.Errorf("%v, %v", back == k, err)
	}
	for _, text := range []string{"", "gsk.", k.Text()[1:], k.Text() + "x", "gsk." + strings.Repeat("A", 43), "gsk.!" + k.Text()[5:]} {
		if _, err := ParseKey(text); err == nil || strings.Contains(err.Error(), k.Text()[4:20]) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
