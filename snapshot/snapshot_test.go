package snapshot

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

var update = flag.Bool("update", false, "write the golden file of the current version, if it is not there")

// sample makes a machine that has something of every kind, also dead tokens which
// are not reclaimed yet.
func sample(t testing.TB, tokens int) *fsm.Machine {
	t.Helper()
	m := fsm.New()
	at := token.Instant(1_700_000_000_000_000_000)
	index := uint64(0)
	apply := func(g fsm.Group, cs ...fsm.Command) {
		t.Helper()
		for i, c := range cs {
			k, b, err := fsm.EncodeCommand(c)
			if err != nil {
				t.Fatal(err)
			}
			g.Items = append(g.Items, fsm.Item{Seq: uint64(i + 1), Kind: k, Body: b})
		}
		index++
		rs, err := m.Apply(index, fsm.AppendEntry(nil, fsm.Entry{At: at, Groups: []fsm.Group{g}}))
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range rs {
			if r.Code != 0 || r.Stale {
				t.Fatalf("%T: %+v", cs[i], r)
			}
		}
	}
	root := token.Hash{1}
	apply(fsm.Group{},
		&fsm.OpenSession{Session: fsm.SessionID{7}, Node: "n1"},
		&fsm.Initialize{
			ClusterID: "cluster", ClusterName: "sample", Salt: token.Salt{9},
			Root:     token.Record{Hash: root, Accessor: "root-accessor", Type: token.Service, Policies: []string{"root"}, Path: "auth/token/root"},
			Policies: []policy.Policy{{Name: "default", Text: `path "x" {}`, Rules: []policy.Rule{{Path: "x", Capabilities: policy.Read}}}},
			Mounts:   []mount.Mount{{Path: "auth/token/", Type: "token", Accessor: "auth_token_1"}},
		},
		&fsm.AnnounceMember{Member: fsm.Member{ID: "n1", APIAddr: "http://127.0.0.1:1"}},
	)
	ask := func() fsm.Caller { return fsm.Caller{Token: root, Epoch: m.Epoch()} }
	apply(fsm.Group{}, &fsm.PutRole{Caller: ask(), Role: role.Role{Name: "ci", Orphan: true}})
	for n := range tokens {
		apply(fsm.Group{}, &fsm.CreateToken{Caller: ask(), Token: token.Record{
			Hash: token.Hash{2, byte(n), byte(n >> 8)}, Accessor: token.Accessor(fmt.Sprintf("%024d", n)), Type: token.Service, Parent: root,
			Path: fmt.Sprintf("auth/token/create/%d", n%3), TTL: time.Hour, NumUses: uint32(n % 4), Meta: map[string]string{"n": fmt.Sprint(n % 5)}, Policies: []string{"default"},
		}})
	}
	apply(fsm.Group{Session: fsm.SessionID{7}, Low: 1}, &fsm.UseToken{Caller: ask()})
	return m
}

func written(t testing.TB, m *fsm.Machine) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m.Freeze()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	m := sample(t, 500)
	file := written(t, m)
	got, err := Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written(t, got), file) {
		t.Error("a restored machine writes other bytes")
	}
	want, _ := Digest(m.Freeze())
	if d, err := Digest(got.Freeze()); err != nil || d != want {
		t.Errorf("digest %x, %v, want %x", d, err, want)
	}
	info, err := Inspect(bytes.NewReader(file))
	if err != nil || info.ByKind[fsm.RowToken] != 501 || info.Version != Version {
		t.Errorf("Inspect: %+v, %v", info, err)
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	file := written(t, sample(t, 3))
	for n := range file {
		if _, err := Read(bytes.NewReader(file[:n])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("first %d of %d bytes: %v, want ErrCorrupt", n, len(file), err)
		}
	}
	if _, err := Read(bytes.NewReader(append(file, 0))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("one byte more: %v, want ErrCorrupt", err)
	}
}

func TestEveryFlipIsRefused(t *testing.T) {
	file := written(t, sample(t, 3))
	for i := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			_, err := Read(bytes.NewReader(bad))
			if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
				t.Fatalf("bit %d of byte %d flipped: %v, want ErrCorrupt or ErrVersion", bit, i, err)
			}
		}
	}
}

func TestRandomDamageIsRefused(t *testing.T) {
	file := written(t, sample(t, 2000))
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		bad := bytes.Clone(file)
		for range 1 + r.IntN(4) {
			bad[len(magic)+2+r.IntN(len(bad)-len(magic)-2)] ^= byte(1 + r.IntN(255))
		}
		if bytes.Equal(bad, file) {
			continue
		}
		if _, err := Inspect(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("%v, want ErrCorrupt", err)
		}
	}
}

func TestUnknownVersion(t *testing.T) {
	file := written(t, sample(t, 1))
	file[len(magic)+1] = Version + 1
	_, err := Read(bytes.NewReader(file))
	if !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want ErrVersion and not ErrCorrupt", err)
	}
}

// TestGolden restores a file of every released version, for ever.
func TestGolden(t *testing.T) {
	current := filepath.Join("testdata", fmt.Sprintf("v%d.snap", Version))
	if _, err := os.Stat(current); *update && os.IsNotExist(err) {
		m := sample(t, 40)
		if err := os.WriteFile(current, written(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(current+".json", dump(t, m), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	files, err := filepath.Glob("testdata/v*.snap")
	if err != nil || len(files) != Version {
		t.Fatalf("golden files %v, %v: one per version up to %d wanted", files, err, Version)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		want, err := os.ReadFile(file + ".json")
		if err != nil {
			t.Fatal(err)
		}
		if got := dump(t, m); !bytes.Equal(got, want) {
			t.Errorf("%s restores other rows than %s.json has", file, file)
		}
	}
}

// dump shows the rows as JSON, one a line.
func dump(t *testing.T, m *fsm.Machine) []byte {
	t.Helper()
	var b bytes.Buffer
	err := m.Freeze().Rows(func(kind fsm.RowKind, row any) error {
		j, err := json.Marshal(row)
		fmt.Fprintf(&b, "%d %s\n", kind, j)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, sample(f, 3)))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b))
		if err == nil {
			if err := m.Check(); err != nil {
				t.Errorf("restored a state that does not hold: %v", err)
			}
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("%v is neither ErrCorrupt nor ErrVersion", err)
		}
	})
}
