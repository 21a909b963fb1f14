package fsm

import (
	"errors"

	"github.com/tokengrove/grove/fsm/ban"
	"github.com/tokengrove/grove/fsm/keyring"
)

// sealing is by which keys the edges seal what goes through the log or is given to clients, and what of the latter
// was revoked.
type sealing struct {
	ring *keyring.Ring // never nil
	bans ban.Book
}

func newSealing() sealing { return sealing{ring: &keyring.Ring{}} }

// rows yields the row of what there is.
func (s *sealing) rows(yield func(RowKind, any) error) error {
	if !s.ring.IsZero() {
		if err := yield(RowKeyring, *s.ring); err != nil {
			return err
		}
	}
	return rowsOf(RowBan, s.bans.All(), yield)
}

// restoreRing takes the one row that there may be.
func (s *sealing) restoreRing(r keyring.Ring) error {
	if !s.ring.IsZero() || r.IsZero() {
		return errors.New("an empty keyring, or a second one")
	}
	s.ring = &r
	return nil
}

func (m *Machine) checkSealing() error {
	if err := m.ring.Check(); err != nil {
		return err
	}
	return m.bans.Check(m.Point())
}

// adopt takes the keys of the present state. Those of a snapshot of the same origin are among them: terms are only ever
// added. A snapshot of another cluster was sealed with that one's keys, and they come along; they open to whom
// its seal key was given. Bans go with the keys: they are about what was sealed with them.
func (s *sealing) adopt(now *sealing, same bool) {
	if same || len(s.ring.Keys) == 0 {
		*s = *now
	}
}

// Keyring returns the sealed data keys, never nil. It is another one whenever it has changed.
func (m *Machine) Keyring() *keyring.Ring { return m.sealing.ring }
