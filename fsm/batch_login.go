package fsm

import "github.com/tokengrove/grove/fsm/lockout"

// BatchLogin is a login that makes a batch token: nothing is stored of the token, but what the method writes, and that
// the user is not locked out, are decided in one step. Its Transact has no effect of its own.
type BatchLogin struct {
	Transact Transact `cbor:"1,keyasint"`
	Alias    string   `cbor:"2,keyasint,omitempty"` // as that of a Login
}

func (c *BatchLogin) asks() Caller { return c.Transact.asks() }

func (c *BatchLogin) moved(m *Machine) bool { return c.Transact.moved(m) }

// apply writes what the method has written, unless the user is locked out.
func (c *BatchLogin) apply(m *Machine, x *applyContext) Result {
	t := &c.Transact
	if t.Login != nil || t.Renew != nil {
		return refuse(Invalid, "the login of a batch token has no other effect")
	}
	user := lockout.User{Mount: t.UUID, Alias: c.Alias}
	if m.lockedNow(t.Mount, user) {
		return refuse(Forbidden, "permission denied")
	}
	r := t.apply(m, x)
	if r.Code == 0 {
		m.failures.Clear(user)
	}
	return r
}

// lockedNow reports whether a user is locked out of the mount at path.
func (m *Machine) lockedNow(path string, user lockout.User) bool {
	mt := m.mounts[path]
	rule, on := lockoutRule(&mt)
	return on && user.Alias != "" && m.failures.Locked(user, rule, m.at)
}

// Kind implements Command.
func (*BatchLogin) Kind() Kind { return KindBatchLogin }
