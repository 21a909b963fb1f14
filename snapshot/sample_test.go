package snapshot

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/audit"
	"github.com/tokengrove/grove/fsm/keyring"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// builder feeds commands to a machine, one log entry each call.
type builder struct {
	t       testing.TB
	machine *fsm.Machine
	index   uint64
}

const sampleTime = token.Instant(1_700_000_000_000_000_000)

var sampleRoot = token.Hash{1}

func (b *builder) apply(g fsm.Group, cs ...fsm.Command) {
	b.t.Helper()
	for i, c := range cs {
		k, body, err := fsm.EncodeCommand(c)
		if err != nil {
			b.t.Fatal(err)
		}
		g.Items = append(g.Items, fsm.Item{Seq: uint64(i + 1), Kind: k, Body: body})
	}
	b.index++
	rs, err := b.machine.Apply(b.index, fsm.AppendEntry(nil, fsm.Entry{At: sampleTime, Groups: []fsm.Group{g}}))
	if err != nil {
		b.t.Fatal(err)
	}
	for i, r := range rs {
		if r.Code != 0 || r.Stale {
			b.t.Fatalf("%T: %+v", cs[i], r)
		}
	}
}

func (b *builder) caller() fsm.Caller {
	return fsm.Caller{Token: sampleRoot, Epoch: b.machine.Epoch()}
}

// child makes the command by which parent creates token n.
func child(n int, parent token.Hash, epoch uint64) fsm.Command {
	rec := token.Record{
		Hash: token.Hash{2, byte(n), byte(n >> 8)}, Accessor: token.Accessor(fmt.Sprintf("%024d", n)),
		Type: token.Service, Parent: parent, Path: fmt.Sprintf("auth/token/create/%d", n%3),
		TTL: time.Hour, NumUses: uint32(n % 4), Policies: []string{"default"},
	}
	switch n % 5 {
	case 0:
		rec.Meta = map[string]string{"b": "2", "a": "1"}
	case 1:
		rec.DisplayName, rec.BoundCIDRs, rec.Role = "token-ci", []string{"10.0.0.0/8"}, "ci"
	case 2:
		rec.Period, rec.Renewable = time.Minute, true
	case 3:
		rec.ExplicitMax, rec.Renewable = 2*time.Hour, true
	}
	return &fsm.CreateToken{Caller: fsm.Caller{Token: parent, Epoch: epoch}, Token: rec}
}

// sample makes a machine that has something of every kind, and a number of tokens.
func sample(t testing.TB, tokens int) *builder {
	t.Helper()
	b := &builder{t: t, machine: fsm.New()}
	session := fsm.SessionID{7}
	b.apply(fsm.Group{},
		&fsm.OpenSession{Session: session, Node: "n1"},
		&fsm.Initialize{
			ClusterID: "cluster", ClusterName: "sample", Salt: token.Salt{9},
			Root:     token.Record{Hash: sampleRoot, Accessor: "root-accessor", Type: token.Service, Policies: []string{"root"}, Path: "auth/token/root"},
			Policies: []policy.Policy{{Name: "default", Text: `path "x" {}`, Rules: []policy.Rule{{Path: "x", Capabilities: policy.Read}}}},
			Mounts:   []mount.Mount{{Path: "auth/token/", Type: "token", Accessor: "auth_token_1"}},
		},
		&fsm.AnnounceMember{Member: fsm.Member{ID: "n1", APIAddr: "http://127.0.0.1:1"}},
	)
	b.apply(fsm.Group{}, &fsm.PutRole{Caller: b.caller(), Role: role.Role{Name: "ci", Orphan: true}})
	b.apply(fsm.Group{}, &fsm.PutPolicy{Caller: b.caller(), Policy: policy.Policy{Name: "rich", Rules: []policy.Rule{
		{Path: "a/", Glob: true, Capabilities: policy.Read | policy.List, AllowedParameters: map[string][]string{"z": {`"1"`}, "a": nil}},
		{Path: "+/b", Segments: true, Capabilities: policy.Deny, MinWrappingTTL: time.Second, RequiredParameters: []string{"q"}},
	}}})
	b.apply(fsm.Group{},
		&fsm.PutJoinToken{Caller: b.caller(), Hash: fsm.JoinHash{2}, TTL: time.Hour},
		&fsm.PutJoinToken{Caller: b.caller(), Hash: fsm.JoinHash{1}, TTL: time.Hour},
		&fsm.UseJoinToken{Hash: fsm.JoinHash{1}, Node: fsm.NodeKey{3}},
		&fsm.PutTrust{Trust: fsm.Trust{Version: 1, Authorities: [][]byte{[]byte("old"), []byte("new")}, Issuer: 1}},
	)
	for _, c := range []fsm.Command{
		&fsm.EnableAudit{Device: audit.Device{Path: "z/", Type: "file", Description: "all", Options: map[string]string{"mode": "0600", "file_path": "discard"}, Local: true, Salt: audit.Salt{1, 2}}},
		&fsm.EnableAudit{Device: audit.Device{Path: "a/", Type: "syslog"}},
		&fsm.PutAuditHeader{Header: audit.Header{Name: "x-b", HMAC: true}},
		&fsm.PutAuditHeader{Header: audit.Header{Name: "x-a"}},
	} {
		b.apply(fsm.Group{}, c)
	}
	clean, quorum := true, uint64(3)
	b.apply(fsm.Group{},
		&fsm.PutAutopilot{Caller: b.caller(), CleanupDeadServers: &clean, MinQuorum: &quorum},
		&fsm.AdmitNode{Node: fsm.Birth{Node: "n1", Birth: "b1"}},
		&fsm.AdmitNode{Node: fsm.Birth{Node: "n0", Birth: "b0"}},
	)
	b.grow(0, tokens, sampleRoot)
	b.apply(fsm.Group{Session: session, Low: 1}, &fsm.UseToken{Caller: b.caller()})
	return b
}

// grow creates the tokens from..to-1 under parent, a hundred in an entry.
func (b *builder) grow(from, to int, parent token.Hash) {
	b.t.Helper()
	for from < to {
		var cs []fsm.Command
		for ; from < to && len(cs) < 100; from++ {
			cs = append(cs, child(from, parent, b.machine.Epoch()))
		}
		b.apply(fsm.Group{}, cs...)
	}
}

// answering makes a machine that remembers what callers were answered that live, that have used themselves
// up and that have revoked themselves.
func answering(t testing.TB) *builder {
	b := sample(t, 12)
	const limited, unlimited = 1, 8 // of one use, and without a number
	for i, c := range []fsm.Command{
		&fsm.UseToken{Caller: b.caller()},
		&fsm.UseToken{Caller: fsm.Caller{Token: token.Hash{2, limited}, Epoch: b.machine.Epoch()}},
		&fsm.RevokeToken{Caller: fsm.Caller{Token: token.Hash{2, unlimited}, Epoch: b.machine.Epoch()}, Target: fsm.Target{Token: token.Hash{2, unlimited}}},
	} {
		o, err := fsm.NewOnce(answer.Key{byte(i + 1)}, answer.Digest{9}, []byte("memo"), c)
		if err != nil {
			t.Fatal(err)
		}
		b.apply(fsm.Group{}, o)
	}
	return b
}

// keeping makes a machine in which two tokens keep something, and a third did.
func keeping(t testing.TB) *builder {
	b := sample(t, 12)
	for i, path := range []string{"b", "a", "d/e"} {
		b.apply(fsm.Group{}, &fsm.WriteCubbyhole{Caller: b.caller(), Path: path, Value: []byte{byte(i), 1}})
	}
	for _, n := range []byte{4, 8} { // of an unlimited number of uses
		b.apply(fsm.Group{}, &fsm.WriteCubbyhole{Caller: fsm.Caller{Token: token.Hash{2, n}, Epoch: b.machine.Epoch()}, Path: "x", Value: []byte("sealed")})
	}
	b.apply(fsm.Group{}, &fsm.RevokeToken{Caller: b.caller(), Target: fsm.Target{Token: token.Hash{2, 8}}})
	return b
}

// sealing makes a machine with two data keys that are rotated, and with bans.
func sealing(t testing.TB) *builder {
	b := sample(t, 4)
	for term := range uint32(2) {
		b.apply(fsm.Group{}, &fsm.AddKey{Caller: b.caller(), Key: keyring.Key{Term: term + 1, Seal: keyring.SealID{7}, Sealed: []byte{1, 2, byte(term)}}})
	}
	interval, operations := 48*time.Hour, int64(2_000_000)
	b.apply(fsm.Group{}, &fsm.PutKeyRotation{Caller: b.caller(), Interval: &interval, Operations: &operations})
	for _, prefix := range []string{"auth/ci/login", "auth/ldap", "auth/ci"} { // the last covers the first
		b.apply(fsm.Group{}, &fsm.RevokePrefix{Caller: b.caller(), Prefix: prefix})
	}
	return b
}

// lending makes a machine with leases in every state: intended, doomed, active, of a dead token, below a cut prefix, failed and
// parked, and of a mount that was disabled.
func lending(t testing.TB) *builder {
	b := sample(t, 12)
	for _, path := range []string{"hook/", "gone/"} {
		b.apply(fsm.Group{}, &fsm.EnableMount{Caller: b.caller(), Mount: mount.Mount{Path: path, Type: "webhook", UUID: "uuid-" + path, Accessor: "webhook_" + path}})
	}
	owner := token.Hash{2, 8} // of an unlimited number of uses
	step := func(path string, by token.Hash) fsm.Transact {
		return fsm.Transact{Caller: fsm.Caller{Token: by, Epoch: b.machine.Epoch()}, Mount: path, UUID: "uuid-" + path}
	}
	draft := func(id string) fsm.LeaseDraft {
		return fsm.LeaseDraft{ID: id, TTL: time.Minute, MaxTTL: time.Hour, Renewable: true, Resource: "r", Data: []byte("sealed")}
	}
	keep := step("gone/", sampleRoot)
	keep.Writes = []fsm.Write{{Kind: fsm.WritePut, Key: "config", Value: []byte("kept")}}
	b.apply(fsm.Group{}, &fsm.IssueLease{Step: keep, Draft: draft("gone/leases/1")}, &fsm.BeginLease{Step: step("gone/", sampleRoot), Draft: draft("gone/leases/2")})
	b.apply(fsm.Group{}, &fsm.DisableMount{Caller: b.caller(), Path: "gone/"})
	b.apply(fsm.Group{}, &fsm.IssueLease{Step: step("hook/", sampleRoot), Draft: draft("hook/a/alive")}, &fsm.BeginLease{Step: step("hook/", sampleRoot), Draft: draft("hook/a/intended")},
		&fsm.IssueLease{Step: step("hook/", sampleRoot), Draft: draft("hook/a/failed")}, &fsm.IssueLease{Step: step("hook/", sampleRoot), Draft: draft("hook/a/parked")},
		&fsm.RenewLease{Step: step("hook/", sampleRoot), ID: "hook/a/alive", Expires: sampleTime.Add(time.Hour)})
	for _, id := range []string{"hook/a/failed", "hook/a/parked"} {
		b.apply(fsm.Group{}, &fsm.RevokeLease{Caller: b.caller(), ID: id})
		r, _ := b.machine.Revocation(id)
		b.apply(fsm.Group{}, &fsm.FailRevocation{ID: id, Turn: r.Revocation.Turn, Error: "no answer", Wait: time.Second, Park: id == "hook/a/parked"})
	}
	var many []fsm.Command
	for i := range 515 { // more than one entry works off
		many = append(many, &fsm.IssueLease{Step: step("hook/", owner), Draft: draft(fmt.Sprintf("hook/b/%03d", i))})
	}
	many = append(many, &fsm.RevokeToken{Caller: b.caller(), Target: fsm.Target{Token: owner}}, &fsm.IssueLease{Step: step("hook/", sampleRoot), Draft: draft("hook/c/cut")},
		&fsm.RevokeForce{Caller: b.caller(), Prefix: "hook/c"})
	b.apply(fsm.Group{}, many...)
	return b
}

// reclaiming makes a machine that died faster than it reclaims: a revoked tree of more
// tokens than one entry unlinks.
func reclaiming(t testing.TB) *builder {
	b := sample(t, 12)
	const parent = 8 // unlimited
	b.grow(12, 12+4110, token.Hash{2, parent})
	b.apply(fsm.Group{}, &fsm.RevokeToken{Caller: b.caller(), Target: fsm.Target{Token: token.Hash{2, parent}}})
	if !b.machine.ReclaimPending() {
		t.Fatal("nothing waits to be reclaimed: the sample is too small")
	}
	return b
}

func written(t testing.TB, m *fsm.Machine) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, m.Freeze()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
