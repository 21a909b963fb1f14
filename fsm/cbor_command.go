package fsm

import "github.com/tokengrove/grove/fsm/token"

// fastCommand is a command that is written and read without reflection.
type fastCommand interface {
	// appendFields appends the body, and reports false if the library must.
	appendFields(b []byte) ([]byte, bool)
	readFields(r *fieldReader)
}

// readFast decodes a body into c, which is zero, if it can; otherwise c is garbage. What c
// holds afterwards shares the memory of body.
func readFast(c fastCommand, body string) bool {
	r := fieldReader{s: body, ok: true}
	c.readFields(&r)
	return r.ok && r.s == ""
}

func (c *Caller) isZero() bool { return *c == Caller{} }

func (w *fieldWriter) caller(k byte, c *Caller) {
	w.key(k)
	in := writeFields(w.b)
	in.hash(1, &c.Token)
	in.uint(2, c.Epoch)
	w.b = in.b
}

func (r *fieldReader) caller(c *Caller) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.hash(&c.Token)
		case 2:
			c.Epoch = r.head(majorUint)
		default:
			r.ok = false
		}
	}
}

func (w *fieldWriter) target(k byte, t *Target) {
	w.key(k)
	in := writeFields(w.b)
	in.hash(1, &t.Token)
	in.text(2, string(t.Accessor))
	w.b = in.b
}

func (r *fieldReader) target(t *Target) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.hash(&t.Token)
		case 2:
			t.Accessor = token.Accessor(r.text())
		default:
			r.ok = false
		}
	}
}

func (c *CreateToken) appendFields(b []byte) ([]byte, bool) {
	w := writeFields(b)
	if !c.Caller.isZero() {
		w.caller(1, &c.Caller)
	}
	w.record(2, &c.Token)
	w.bool(3, c.Elevated)
	return w.b, w.ok
}

func (c *CreateToken) readFields(r *fieldReader) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.caller(&c.Caller)
		case 2:
			r.record(&c.Token)
		case 3:
			c.Elevated = r.bool()
		default:
			r.ok = false
		}
	}
}

func (c *UseToken) appendFields(b []byte) ([]byte, bool) {
	w := writeFields(b)
	w.caller(1, &c.Caller)
	w.bool(2, c.AnyEpoch)
	return w.b, w.ok
}

func (c *UseToken) readFields(r *fieldReader) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.caller(&c.Caller)
		case 2:
			c.AnyEpoch = r.bool()
		default:
			r.ok = false
		}
	}
}

func (c *RenewToken) appendFields(b []byte) ([]byte, bool) {
	w := writeFields(b)
	w.caller(1, &c.Caller)
	w.target(2, &c.Target)
	w.int(3, int64(c.Increment))
	w.key(4)
	w.b = appendInt(w.b, int64(c.DefaultTTL))
	w.key(5)
	w.b = appendInt(w.b, int64(c.MaxTTL))
	w.int(6, int64(c.Period))
	w.int(7, int64(c.ExplicitMax))
	return w.b, w.ok
}

func (c *RenewToken) readFields(r *fieldReader) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.caller(&c.Caller)
		case 2:
			r.target(&c.Target)
		case 3:
			c.Increment = r.duration()
		case 4:
			c.DefaultTTL = r.duration()
		case 5:
			c.MaxTTL = r.duration()
		case 6:
			c.Period = r.duration()
		case 7:
			c.ExplicitMax = r.duration()
		default:
			r.ok = false
		}
	}
}

func (c *RevokeToken) appendFields(b []byte) ([]byte, bool) {
	w := writeFields(b)
	w.caller(1, &c.Caller)
	w.target(2, &c.Target)
	return w.b, w.ok
}

func (c *RevokeToken) readFields(r *fieldReader) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			r.caller(&c.Caller)
		case 2:
			r.target(&c.Target)
		default:
			r.ok = false
		}
	}
}
