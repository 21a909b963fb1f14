package fsm

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// mounted enables a mount at auth/NAME/ and returns it.
func (b *bench) mounted(name string) mount.Mount {
	b.Helper()
	b.next++
	mt := mount.Mount{Path: "auth/" + name + "/", Type: "userpass", Accessor: fmt.Sprintf("auth_userpass_%d", b.next), UUID: fmt.Sprintf("uuid-%d", b.next)}
	b.ok(&EnableMount{Caller: b.as(b.root), Mount: mt})
	return mt
}

// step is a transaction of the system at mt, on the ground as it is now.
func (b *bench) step(mt mount.Mount, writes ...Write) *Transact {
	return &Transact{Caller: Caller{Epoch: b.m.Epoch()}, Mount: mt.Path, UUID: mt.UUID, Writes: writes}
}

func put(key, value string) Write { return Write{Kind: WritePut, Key: key, Value: []byte(value)} }

// login is a transaction that makes a token at auth/NAME/login/WHO.
func (b *bench) login(mt mount.Mount, who string) *Transact {
	c := b.step(mt)
	made := b.newToken(token.Hash{}, func(r *token.Record) {
		r.Path, r.Login = mt.Path+"login/"+who, token.Login{Mount: mt.UUID, Entity: "e-" + who, Data: "d"}
	})
	c.Login = &Login{Token: made.Token, Alias: who}
	return c
}

func (b *bench) stale(c Command) {
	b.Helper()
	if r := b.do(c); !r.Stale || r.Code != 0 {
		b.Errorf("%T: code %d %s stale %v, want it stale", c, r.Code, r.Message, r.Stale)
	}
}

func (b *bench) stored(mt mount.Mount, want ...string) {
	b.Helper()
	var got []string
	b.m.Storage(mt.UUID).Walk("", func(key string, e storage.Entry) bool {
		got = append(got, key+"="+string(e.Value))
		return true
	})
	if strings.Join(got, " ") != strings.Join(want, " ") {
		b.Errorf("mount %s keeps %q, want %q", mt.Path, got, want)
	}
}

func TestTransactIsStaleWhenTheGroundMoves(t *testing.T) {
	b := newBench(t)
	mt, other := b.mounted("a"), b.mounted("b")
	b.ok(b.step(mt, put("users/amy", "1"), put("users/bob", "1")))
	version := b.m.Storage(mt.UUID).Find("users/amy").Version
	listed := Listing{Prefix: "users/", Sum: storage.SumNames([]string{"amy", "bob"})}
	reader := func() *Transact {
		c := b.step(mt, put("x", "y"))
		c.Reads = []Read{{Key: "users/amy", Version: version}, {Key: "users/eve"}}
		c.Listed = []Listing{listed}
		return c
	}
	b.ok(reader())
	before := reader() // its epoch is that of now
	for name, change := range map[string]Command{
		"a value":   b.step(mt, put("users/amy", "1")),
		"a new key": b.step(mt, put("users/eve", "1")),
		"a name":    b.step(mt, put("users/zoe", "1")),
		"the mount": &TuneMount{Caller: b.as(b.root), Mount: mt},
		"its end":   &DisableMount{Caller: b.as(b.root), Path: mt.Path},
	} {
		t.Run(name, func(t *testing.T) {
			c := &bench{T: t, m: b.m, at: b.at, index: b.index, root: b.root}
			image := c.image()
			c.ok(change)
			c.stale(before)
			c.ok(c.step(other, put("k", "v"))) // what belongs to another mount goes on
			b.m = image
		})
	}
}

// image is a copy of the machine, through its rows.
func (b *bench) image() *Machine {
	b.Helper()
	r := NewRestorer()
	if err := b.m.Freeze().Encoded(func(k RowKind, body []byte) error { return r.Add(k, bytes.Clone(body)) }); err != nil {
		b.Fatal(err)
	}
	m, err := r.Finish()
	if err != nil {
		b.Fatal(err)
	}
	return m
}

func TestTransactDoesAllOrNothing(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a")
	c := b.login(mt, "amy")
	c.Writes = []Write{put("uses", "4")}
	first := b.ok(c).Token
	b.stored(mt, "uses=4")
	b.want(true, first.Hash)
	if first.Login.Entity != "e-amy" || first.Created != b.at || first.Deadline != b.at.Add(time.Hour) {
		t.Errorf("token %+v", first)
	}
	again := b.login(mt, "amy")
	again.Login.Token.Hash = first.Hash // the effect is refused, and with it the write
	again.Writes = []Write{put("uses", "3")}
	b.refused(Invalid, "duplicate ID", again)
	b.stored(mt, "uses=4")
	for text, c := range map[string]func(c *Transact){
		"has no parent":              func(c *Transact) { c.Login.Token.Parent = b.root },
		"names its mount":            func(c *Transact) { c.Login.Token.Login.Mount = "" },
		"source path below":          func(c *Transact) { c.Login.Token.Path = "auth/ab/login" },
		"root tokens may not":        func(c *Transact) { c.Login.Token.Policies = []string{"root"} },
		"has one effect":             func(c *Transact) { c.Renew = &Renewal{} },
		"has no empty segment":       func(c *Transact) { c.Writes = []Write{put("a//b", "")} },
		"at most 1048576 bytes":      func(c *Transact) { c.Writes = []Write{put("a", strings.Repeat("x", storage.MaxValue+1))} },
		"1 to 1024 bytes":            func(c *Transact) { c.Writes = []Write{put(strings.Repeat("x", 1025), "")} },
		"unknown kind 9":             func(c *Transact) { c.Writes = []Write{{Kind: 9, Key: "a"}} },
		"at most 4096 reads":         func(c *Transact) { c.Writes = make([]Write, 4097) },
		"writes at most 8388608":     func(c *Transact) { c.Writes = many(9, storage.MaxValue) },
		"needs a source path":        func(c *Transact) { c.Login.Token.Path = "" },
		"only root tokens may live ": func(c *Transact) { c.Login.Token.TTL = 0 },
	} {
		one := b.login(mt, "bob")
		c(one)
		if text == "needs a source path" {
			text = "source path below"
		}
		b.refused(Invalid, text, one)
	}
	b.refused(Invalid, "only a login", &CreateToken{Token: b.login(mt, "x").Login.Token})
}

func many(n, size int) []Write {
	ws := make([]Write, n)
	for i := range ws {
		ws[i] = put(fmt.Sprint("k", i), strings.Repeat("x", size))
	}
	return ws
}

func TestTransactFullMount(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a")
	shared := bytes.Repeat([]byte("x"), storage.MaxValue) // one piece of memory for all
	var full storage.Store
	for i := range storage.MaxBytes/storage.MaxValue - 1 {
		full = full.Put(fmt.Sprintf("0/%d", i), storage.Entry{Value: shared, Version: 1})
	}
	b.m.stores[mt.UUID] = full
	b.refused(Invalid, "is full", b.step(mt, put("x", string(shared))))
	b.ok(b.step(mt, put("x", "fits")))
	b.ok(b.step(mt, Write{Kind: WriteDeletePrefix, Key: "0/"}))
	b.ok(b.step(mt, put("room", "again")))
}

// TestTransactOnce: of two that were decided on the same ground one happens, also in one entry.
func TestTransactOnce(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a")
	b.ok(b.step(mt, put("uses", "1")))
	read := Read{Key: "uses", Version: b.index}
	var g Group
	for _, who := range []string{"amy", "bob"} {
		c := b.login(mt, who)
		c.Reads, c.Writes = []Read{read}, []Write{{Kind: WriteDelete, Key: "uses"}}
		k, body, err := EncodeCommand(c)
		if err != nil {
			t.Fatal(err)
		}
		g.Items = append(g.Items, Item{Kind: k, Body: body})
	}
	b.index++
	rs, err := b.m.Apply(b.index, AppendEntry(nil, Entry{At: b.at, Groups: []Group{g}}))
	if err != nil || rs[0].Token == nil || !rs[1].Stale || rs[1].Token != nil {
		t.Errorf("%+v %v, want the first done and the second stale", rs, err)
	}
}

// TestTransactChargesOnce: a limited caller is charged for what was decided, and not for a
// decision that was stale.
func TestTransactChargesOnce(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a")
	limited := b.token(b.root, func(r *token.Record) { r.NumUses = 2 })
	c := b.step(mt, put("k", "v"))
	c.Caller, c.Reads = b.as(limited), []Read{{Key: "k", Version: 99}}
	b.stale(c)
	c.Reads = nil
	if r := b.ok(c); r.Caller == nil || r.Caller.UsesLeft != 1 {
		t.Errorf("caller %+v, want one use left", r.Caller)
	}
	b.ok(c)
	b.refused(Forbidden, "permission denied", c)
}

func TestDisableMountTakesEverything(t *testing.T) {
	b := newBench(t)
	mt, other := b.mounted("ci"), b.mounted("cix")
	mine, theirs := b.ok(b.login(mt, "amy")).Token.Hash, b.ok(b.login(other, "amy")).Token.Hash
	child := b.token(mine, nil)
	orphan := b.token(mine, func(r *token.Record) { r.Parent = token.Hash{} })
	b.ok(b.step(mt, put("users/amy", "1")))
	b.ok(b.step(other, put("users/amy", "1")))
	b.ok(&NoteFailure{Mount: mt.Path, UUID: mt.UUID, Alias: "bob"})
	late := b.login(mt, "eve")
	b.ok(&DisableMount{Caller: b.as(b.root), Path: mt.Path})
	b.want(false, mine, child)
	b.want(true, theirs, orphan)
	b.stored(mt)
	b.stored(other, "users/amy=1")
	if n := len(b.m.Failures()); n != 0 {
		t.Errorf("%d users have failures, want none", n)
	}
	b.stale(late)
	b.ok(&DisableMount{Caller: b.as(b.root), Path: mt.Path}) // nothing there: no error
	b.refused(Invalid, "cannot be disabled", &DisableMount{Caller: b.as(b.root), Path: "auth/token/"})
	b.mounted("ci")
	b.stale(late)
}

func TestMountTable(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a/b")
	for path, text := range map[string]string{
		"auth/a/b/": "path is already in use at a/b/", "auth/a/": "in use at a/b/", "auth/a/b/c/": "in use at a/b/",
		"auth/": "segments", "auth/x": "slash at its end", "/auth/x/": "segments", "auth//x/": "segments",
		strings.Repeat("x", 600) + "/": "at most 512 bytes",
	} {
		b.refused(Invalid, text, &EnableMount{Caller: b.as(b.root), Mount: mount.Mount{Path: path, Type: "t", UUID: "u" + path, Accessor: "a" + path}})
	}
	b.refused(Invalid, "needs a type", &EnableMount{Caller: b.as(b.root), Mount: mount.Mount{Path: "auth/x/"}})
	b.refused(Invalid, "of another mount", &EnableMount{Caller: b.as(b.root), Mount: mount.Mount{Path: "auth/x/", Type: "t", UUID: mt.UUID, Accessor: "a"}})

	token := b.ok(b.login(mt, "amy")).Token.Hash
	b.ok(b.step(mt, put("k", "v")))
	for text, c := range map[string]*MoveMount{
		"no matching mount": {From: "auth/none/", To: "auth/x/"}, "stays below auth/": {From: mt.Path, To: "x/"}, "segments": {From: mt.Path, To: "auth/x"},
	} {
		c.Caller = b.as(b.root)
		b.refused(Invalid, text, c)
	}
	b.ok(&MoveMount{Caller: b.as(b.root), From: mt.Path, To: "auth/a/"})
	b.want(false, token)
	b.stored(mt, "k=v")
	if at, ok := b.m.MountOf("auth/a/login/amy"); !ok || at.UUID != mt.UUID || at.Path != "auth/a/" {
		t.Errorf("auth/a/login/amy lies in %+v %v", at, ok)
	}
	if at, ok := b.m.MountOf("auth/ab/login"); ok {
		t.Errorf("auth/ab/login lies in %+v", at)
	}
	moved, _ := b.m.Mount("auth/a/")
	moved.Description = "x"
	b.ok(&TuneMount{Caller: b.as(b.root), Mount: moved})
	moved.UUID = "other"
	b.refused(NotFound, "no mount at a/", &TuneMount{Caller: b.as(b.root), Mount: moved})
}

func TestLockOut(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a")
	mt.Tuning.Lockout = mount.Lockout{Threshold: 2, Duration: time.Minute, Reset: 10 * time.Second}
	b.ok(&TuneMount{Caller: b.as(b.root), Mount: mt})
	fail := &NoteFailure{Mount: mt.Path, UUID: mt.UUID, Alias: "amy"}
	b.ok(fail)
	b.ok(b.login(mt, "amy")) // a clean slate
	b.ok(fail)
	b.at = b.at.Add(10 * time.Second) // counting starts anew
	b.ok(fail)
	b.ok(b.login(mt, "bob"))
	b.ok(fail)
	if got := b.m.LockedUsers(&mt, b.at); len(got) != 1 || got[0] != "amy" {
		t.Errorf("locked %v, want amy", got)
	}
	b.refused(Forbidden, "permission denied", b.login(mt, "amy"))
	b.ok(b.login(mt, "bob"))
	b.at = b.at.Add(59 * time.Second)
	b.ok(fail) // does not count: the lock must end
	b.refused(Forbidden, "permission denied", b.login(mt, "amy"))
	b.at = b.at.Add(time.Second)
	b.ok(b.login(mt, "amy"))
	b.ok(fail)
	b.ok(fail)
	b.refused(Forbidden, "permission denied", b.login(mt, "amy"))
	b.ok(&UnlockUser{Caller: b.as(b.root), UUID: mt.UUID, Alias: "amy"})
	b.ok(b.login(mt, "amy"))
	b.refused(Invalid, "1 to 512 bytes", &NoteFailure{Mount: mt.Path, UUID: mt.UUID, Alias: ""})
	mt.Tuning.Lockout.Disabled = true
	b.ok(&TuneMount{Caller: b.as(b.root), Mount: mt})
	for range 5 {
		b.ok(fail)
	}
	b.ok(b.login(mt, "amy"))
}

func TestRenewalOfALogin(t *testing.T) {
	b := newBench(t)
	mt := b.mounted("a")
	made := b.ok(b.login(mt, "amy")).Token
	b.at = b.at.Add(10 * time.Minute)
	c := b.step(mt)
	c.Caller = b.as(made.Hash)
	c.Renew = &Renewal{Target: Target{Token: made.Hash}, TTL: time.Hour, DefaultTTL: time.Hour, MaxTTL: 65 * time.Minute}
	if r := b.ok(c); r.Granted != 55*time.Minute {
		t.Errorf("granted %s, want 55m", r.Granted)
	}
	c.Renew.Period = 2 * time.Minute
	if r := b.ok(c); r.Granted != 2*time.Minute {
		t.Errorf("granted %s, want the period", r.Granted)
	}
	c.Renew.Target = Target{Token: token.Hash{0xee}}
	b.refused(NotFound, "token not found", c)
}
