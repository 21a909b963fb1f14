package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/lockout"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

var (
	mountPaths = []string{"auth/ci/", "auth/cix/", "auth/k8s/", "auth/ci/sub/", "auth/", hookMount}
	storedKeys = []string{"a", "a/b", "a/c/d", "b", "bad//key"}
)

// rule is when the simulation's mounts lock a user out.
var rule = lockout.Rule{Threshold: 2, Duration: 20 * time.Second, Reset: 10 * time.Second}

// engineCommand makes a command about mounts, what they keep, and logins.
func (g *generator) engineCommand() fsm.Command {
	path := mountPaths[g.r.IntN(len(mountPaths))]
	uuid := g.m.engines.uuid[path]
	if g.r.IntN(20) == 0 {
		uuid = "other"
	}
	switch g.r.IntN(16) {
	case 0, 1:
		g.serial++
		mt := newMount(path, fmt.Sprintf("u%d", g.serial))
		return &fsm.EnableMount{Caller: g.caller(), Mount: mt}
	case 2:
		return &fsm.TuneMount{Caller: g.caller(), Mount: newMount(path, uuid)}
	case 3:
		return &fsm.DisableMount{Caller: g.caller(), Path: path}
	case 4:
		return &fsm.MoveMount{Caller: g.caller(), From: path, To: mountPaths[g.r.IntN(len(mountPaths))]}
	case 5, 6, 7:
		return &fsm.NoteFailure{Mount: path, UUID: uuid, Alias: []string{"amy", "bob"}[g.r.IntN(2)]}
	case 8:
		return &fsm.UnlockUser{Caller: g.caller(), UUID: uuid, Alias: "amy"}
	}
	return g.transact(path, uuid)
}

func newMount(path, uuid string) mount.Mount {
	return mount.Mount{
		Path: path, Type: "userpass", UUID: uuid, Accessor: "auth_" + uuid,
		Tuning: mount.Tuning{Lockout: mount.Lockout{Threshold: rule.Threshold, Duration: rule.Duration, Reset: rule.Reset}},
	}
}

// transact reads what the model has, wrongly sometimes, and writes or logs in.
func (g *generator) transact(path, uuid string) fsm.Command {
	c := &fsm.Transact{Caller: fsm.Caller{Epoch: g.m.epoch}, Mount: path, UUID: uuid}
	if g.r.IntN(3) == 0 {
		c.Caller = g.caller()
	}
	kept := g.m.engines.kept[uuid]
	for range g.r.IntN(3) {
		key := storedKeys[g.r.IntN(len(storedKeys))]
		version := kept[key].version
		if g.r.IntN(12) == 0 {
			version++
		}
		c.Reads = append(c.Reads, fsm.Read{Key: key, Version: version})
	}
	if g.r.IntN(4) == 0 {
		names := listBelow(kept, "a/")
		if g.r.IntN(8) == 0 {
			names = append(names, "zz")
		}
		c.Listed = []fsm.Listing{{Prefix: "a/", Sum: storage.SumNames(names)}}
	}
	for range g.r.IntN(3) {
		kind := []fsm.WriteKind{fsm.WritePut, fsm.WritePut, fsm.WriteDelete, fsm.WriteDeletePrefix}[g.r.IntN(4)]
		w := fsm.Write{Kind: kind, Key: storedKeys[g.r.IntN(len(storedKeys))]}
		if kind == fsm.WritePut {
			w.Value = []byte(fmt.Sprint(g.r.IntN(1000)))
		}
		c.Writes = append(c.Writes, w)
	}
	if g.r.IntN(2) == 0 {
		g.count++
		c.Login = &fsm.Login{Alias: []string{"amy", "bob", ""}[g.r.IntN(3)], Token: token.Record{
			Hash: hashOf(g.count), Accessor: accessorOf(g.count), Type: token.Service, Path: path + "login", TTL: g.seconds(1, 60), Renewable: true,
			Policies: []string{"default"}, Login: token.Login{Mount: uuid, Entity: "e", Data: "d"},
		}}
	}
	return c
}

// engines is what the model knows of mounts.
type engines struct {
	uuid   map[string]string // by path
	kept   map[string]map[string]entry
	failed map[lockout.User]lockout.Failures
	index  uint64 // of the entry that is made
	lends  lending
	sealed sealing
}

type entry struct {
	value   string
	version uint64
}

func newEngines() engines {
	return engines{uuid: map[string]string{}, kept: map[string]map[string]entry{}, failed: map[lockout.User]lockout.Failures{}}
}

func listBelow(all map[string]entry, prefix string) []string {
	var names []string
	for key := range all {
		if rest, ok := strings.CutPrefix(key, prefix); ok {
			name, _, deeper := strings.Cut(rest, "/")
			if deeper {
				name += "/"
			}
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// grounded reports whether what a transaction relies on is so.
func (m *model) grounded(c *fsm.Transact) bool {
	if m.engines.uuid[c.Mount] != c.UUID || c.UUID == "" || m.changed["mount "+c.Mount] > c.Caller.Epoch {
		return false
	}
	all := m.engines.kept[c.UUID]
	for _, r := range c.Reads {
		if all[r.Key].version != r.Version {
			return false
		}
	}
	for _, l := range c.Listed {
		if storage.SumNames(listBelow(all, l.Prefix)) != l.Sum {
			return false
		}
	}
	return true
}

func (m *model) vacant(path, except string) bool {
	if path == "auth/" {
		return false
	}
	for other := range m.engines.uuid {
		if other != except && (strings.HasPrefix(other, path) || strings.HasPrefix(path, other)) {
			return false
		}
	}
	return true
}

func (m *model) forgetMount(path string) {
	uuid := m.engines.uuid[path]
	delete(m.engines.uuid, path)
	delete(m.engines.kept, uuid)
	for u := range m.engines.failed {
		if u.Mount == uuid {
			delete(m.engines.failed, u)
		}
	}
}

func (m *model) killBelow(path string) {
	m.ban(path)
	m.silence(func(n *node) bool { return strings.HasPrefix(n.rec.Path+"/", path) })
	for _, n := range m.all {
		n.revoked = n.revoked || strings.HasPrefix(n.rec.Path+"/", path)
	}
}

// engine applies a command of engineCommand.
func (m *model) engine(c fsm.Command) (fsm.Code, *token.Record) {
	switch c := c.(type) {
	case *fsm.EnableMount:
		if !m.vacant(c.Mount.Path, "") {
			return fsm.Invalid, nil
		}
		m.engines.uuid[c.Mount.Path] = c.Mount.UUID
		m.change("mount " + c.Mount.Path)
	case *fsm.TuneMount:
		if uuid, ok := m.engines.uuid[c.Mount.Path]; !ok || uuid != c.Mount.UUID {
			return fsm.NotFound, nil
		}
		m.change("mount " + c.Mount.Path)
	case *fsm.DisableMount:
		if _, ok := m.engines.uuid[c.Path]; ok {
			m.cutLeases(c.Path, false)
			m.forgetMount(c.Path)
			m.killBelow(c.Path)
			m.change("mount " + c.Path)
		}
	case *fsm.MoveMount:
		uuid, ok := m.engines.uuid[c.From]
		if !ok || !m.vacant(c.To, c.From) || strings.HasPrefix(c.From, "auth/") != strings.HasPrefix(c.To, "auth/") {
			return fsm.Invalid, nil
		}
		m.cutLeases(c.From, false)
		delete(m.engines.uuid, c.From)
		m.engines.uuid[c.To] = uuid
		m.killBelow(c.From)
		m.change("mount " + c.From)
		m.change("mount " + c.To)
	case *fsm.NoteFailure:
		if m.engines.uuid[c.Mount] == c.UUID && c.UUID != "" {
			m.fail(lockout.User{Mount: c.UUID, Alias: c.Alias})
		}
	case *fsm.UnlockUser:
		delete(m.engines.failed, lockout.User{Mount: c.UUID, Alias: c.Alias})
	case *fsm.Transact:
		return m.transact(c)
	}
	return 0, nil
}

func (m *model) isLocked(u lockout.User) bool {
	f := m.engines.failed[u]
	return f.Count >= rule.Threshold && m.at.Sub(f.Last) < rule.Duration
}

func (m *model) fail(u lockout.User) {
	f := m.engines.failed[u]
	if m.isLocked(u) {
		return
	}
	if f.Count >= rule.Threshold || (f.Count > 0 && m.at.Sub(f.Last) >= rule.Reset) {
		f.Count = 0
	}
	m.engines.failed[u] = lockout.Failures{User: u, Count: f.Count + 1, Last: m.at}
}

func (m *model) transact(c *fsm.Transact) (fsm.Code, *token.Record) {
	after := map[string]entry{}
	for k, v := range m.engines.kept[c.UUID] {
		after[k] = v
	}
	for _, w := range c.Writes {
		switch {
		case w.Kind == fsm.WritePut && strings.Contains(w.Key, "//"):
			return fsm.Invalid, nil
		case w.Kind == fsm.WritePut:
			after[w.Key] = entry{string(w.Value), m.engines.index}
		case w.Kind == fsm.WriteDelete:
			delete(after, w.Key)
		default:
			for k := range after {
				if strings.HasPrefix(k, w.Key) {
					delete(after, k)
				}
			}
		}
	}
	var rec *token.Record
	if c.Login != nil {
		u := lockout.User{Mount: c.UUID, Alias: c.Login.Alias}
		if c.Login.Alias != "" && m.isLocked(u) {
			return fsm.Forbidden, nil
		}
		var code fsm.Code
		if code, rec = m.create(&fsm.CreateToken{Token: c.Login.Token}, nil); code != 0 {
			return code, nil
		}
		delete(m.engines.failed, u)
	}
	m.engines.kept[c.UUID] = after
	return 0, rec
}

// compareEngines wants the machine's mounts, storage and failures to be the model's.
func (m *model) compareEngines(machine *fsm.Machine) error {
	mounts := machine.Mounts()
	if len(mounts) != len(m.engines.uuid) {
		return fmt.Errorf("%d mounts, want %d", len(mounts), len(m.engines.uuid))
	}
	for _, mt := range mounts {
		if m.engines.uuid[mt.Path] != mt.UUID {
			return fmt.Errorf("mount %s is %s, want %s", mt.Path, mt.UUID, m.engines.uuid[mt.Path])
		}
		s, want := machine.Storage(mt.UUID), m.engines.kept[mt.UUID]
		if s.Len() != len(want) {
			return fmt.Errorf("mount %s keeps %d entries, want %d", mt.Path, s.Len(), len(want))
		}
		for k, v := range want {
			if e := s.Find(k); string(e.Value) != v.value || e.Version != v.version {
				return fmt.Errorf("mount %s keeps %q of version %d at %q, want %q of version %d", mt.Path, e.Value, e.Version, k, v.value, v.version)
			}
		}
	}
	failures := machine.Failures()
	if len(failures) != len(m.engines.failed) {
		return fmt.Errorf("%d users have failures, want %d", len(failures), len(m.engines.failed))
	}
	for _, f := range failures {
		if m.engines.failed[f.User] != f {
			return fmt.Errorf("failures %+v, want %+v", f, m.engines.failed[f.User])
		}
	}
	return nil
}

// engineAskedBy is who asks for a command of engineCommand.
func engineAskedBy(c fsm.Command) fsm.Caller {
	switch c := c.(type) {
	case *fsm.EnableMount:
		return c.Caller
	case *fsm.TuneMount:
		return c.Caller
	case *fsm.DisableMount:
		return c.Caller
	case *fsm.MoveMount:
		return c.Caller
	case *fsm.UnlockUser:
		return c.Caller
	case *fsm.Transact:
		return c.Caller
	}
	return fsm.Caller{}
}
