package fsm

import "github.com/tokengrove/grove/fsm/lockout"

// NoteFailure counts a failed login of an alias at a mount. The mount's tuning says when that
// locks the user out.
type NoteFailure struct {
	Mount string `cbor:"1,keyasint"` // its path
	UUID  string `cbor:"2,keyasint"` // of the mount
	Alias string `cbor:"3,keyasint"`
}

// apply counts, unless the mount is gone or does not count.
func (c *NoteFailure) apply(m *Machine, x *applyContext) Result {
	if c.Alias == "" || len(c.Alias) > lockout.MaxAlias {
		return refuse(Invalid, "a user's name has 1 to %d bytes, this one has %d", lockout.MaxAlias, len(c.Alias))
	}
	mt, ok := m.mountAt(c.Mount, c.UUID)
	if !ok {
		return Result{}
	}
	if rule, on := lockoutRule(&mt); on {
		m.failures.Fail(lockout.User{Mount: c.UUID, Alias: c.Alias}, rule, x.at)
	}
	return Result{}
}

// UnlockUser forgets the failed logins of an alias at a mount, which is no error when there are none.
type UnlockUser struct {
	Caller Caller `cbor:"1,keyasint"`
	UUID   string `cbor:"2,keyasint"` // of the mount
	Alias  string `cbor:"3,keyasint"`
}

func (c *UnlockUser) asks() Caller { return c.Caller }

// apply forgets them.
func (c *UnlockUser) apply(m *Machine, _ *applyContext) Result {
	if m.failures.Clear(lockout.User{Mount: c.UUID, Alias: c.Alias}) {
		return Result{Count: 1}
	}
	return Result{}
}
