package fsm

import "github.com/tokengrove/grove/fsm/keyring"

// AddKey adds the data key of the next term to the keyring, sealed by the proposer. Key.Installed and Key.Cluster are
// set by apply. It is stale if another one came first.
type AddKey struct {
	Caller Caller      `cbor:"1,keyasint,omitzero"`
	Key    keyring.Key `cbor:"2,keyasint"`
}

func (c *AddKey) asks() Caller { return c.Caller }

// moved reports whether the term is not the next one.
func (c *AddKey) moved(m *Machine) bool { return c.Key.Term != m.ring.Last().Term+1 }

// apply adds it.
func (c *AddKey) apply(m *Machine, x *applyContext) Result {
	k := c.Key
	k.Installed, k.Cluster = x.at, m.identity.ClusterID
	switch {
	case !m.Initialized():
		return refuse(Invalid, "a keyring needs a cluster")
	case len(m.ring.Keys) >= keyring.MaxKeys:
		return refuse(Invalid, "the keyring has %d terms, and no more are allowed", keyring.MaxKeys)
	case k.Seal.IsZero() || len(k.Sealed) == 0 || len(k.Sealed) > keyring.MaxSealed:
		return refuse(Invalid, "a data key is sealed in 1 to %d bytes under a seal key that is named", keyring.MaxSealed)
	}
	m.ring = m.ring.With(k)
	return Result{}
}

// Kind implements Command.
func (*AddKey) Kind() Kind { return KindAddKey }
