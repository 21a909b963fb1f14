package fsm

import (
	"maps"

	"github.com/tokengrove/grove/fsm/audit"
	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/token"
)

// Comeback is what restoring a snapshot brings, and what it takes.
type Comeback struct {
	Cluster    string        `json:"cluster_id"` // that the snapshot is of
	Index      uint64        `json:"index"`      // of the snapshot
	At         token.Instant `json:"at"`         // of the snapshot
	Tokens     uint64        `json:"tokens"`     // that live in it
	Returned   uint64        `json:"returned"`   // of these, what lives no more, or never did, in the present state
	Lost       uint64        `json:"lost"`       // what lives in the present state and not in the snapshot
	StoreEpoch uint64        `json:"store_epoch"`
	Hash       string        `json:"hash"`    // of what a snapshot brings
	Applied    uint64        `json:"applied"` // index from which on all nodes have it
}

// SameOrigin says why a snapshot is not one of the cluster whose state is now, "" if it is.
func (m *Machine) SameOrigin(now *Machine) string {
	switch {
	case !m.Initialized():
		return "it is of a cluster that was never initialized"
	case m.identity.ClusterID != now.identity.ClusterID:
		return "it is of cluster " + m.identity.ClusterID + ", this is cluster " + now.identity.ClusterID
	case m.identity.Salt != now.identity.Salt:
		return "its token hashes were made with another salt: since it was taken, a snapshot of another cluster was restored here"
	}
	return ""
}

// Adopt turns m, restored of a snapshot, into the next state of the cluster whose present state is
// now, which it only reads.
//
// From the snapshot come tokens, policies, roles, mounts, and the salt without which no token would
// be found. Of the present state stays what says who and where this cluster is, and how it is run: its identity, its members, whom its
// links trust, join tokens (an old one would let in whoever has it), its autopilot, automatic snapshots, and audit devices (an
// old list would end the record of what happens here). The edge sessions stay,
// too, with their windows: a command that was answered before is not applied again afterwards. The index never
// goes back, nor does time: a token whose deadline has passed stays dead. The epoch moves on, so that every decision
// made before is stale. What was lent since the snapshot is revoked.
func (m *Machine) Adopt(now *Machine) Comeback {
	c := Comeback{Cluster: m.identity.ClusterID, Index: m.index, At: m.at}
	m.sealing.adopt(&now.sealing, m.SameOrigin(now) == "")
	m.index, m.at, m.epoch = now.index, max(m.at, now.at), max(m.epoch, now.epoch)+1
	m.changes = changes{last: map[string]uint64{}, floor: m.epoch}
	m.identity.ClusterID, m.identity.ClusterName = now.identity.ClusterID, now.identity.ClusterName
	m.sessions, m.membership, m.audit = maps.Clone(now.sessions), now.membership.clone(), now.audit
	c.StoreEpoch = max(m.upkeep.lineage.StoreEpoch, now.upkeep.lineage.StoreEpoch) + 1
	m.upkeep = upkeep{schedules: maps.Clone(now.upkeep.schedules)}
	m.upkeep.lineage = Lineage{StoreEpoch: c.StoreEpoch, Restored: m.at, Snapshot: c.At, Cluster: c.Cluster}
	c.Tokens, c.Returned = m.notIn(now, m.at)
	_, c.Lost = now.notIn(m, m.at)
	m.inherit(now)
	return c
}

// clone copies what an apply may change.
func (ms *membership) clone() membership {
	c := *ms
	c.members, c.births, c.joining.tokens = maps.Clone(ms.members), maps.Clone(ms.births), maps.Clone(ms.joining.tokens)
	return c
}

// notIn counts the tokens that live in m at a time, and those of them that do not live in other.
func (m *Machine) notIn(other *Machine, at token.Instant) (all, missing uint64) {
	m.forest.WalkAlive(at, func(ref forest.Ref) bool {
		all++
		if there := other.forest.Find(m.forest.Hash(ref)); there == 0 || !other.forest.Alive(there, at) {
			missing++
		}
		return true
	})
	return all, missing
}

// Portable is the part of an image that Adopt takes from a snapshot: its hash is the same before and
// after a restore, also on another cluster.
func (f *Frozen) Portable() *Frozen {
	p := *f
	p.header = HeaderRow{Salt: f.header.Salt, Forest: f.header.Forest}
	p.sessions, p.memberRows, p.changes, p.upkeep, p.audit, p.sealing = nil, memberRows{}, nil, upkeepRows{}, &audit.Table{}, newSealing()
	return &p
}

// Header returns the row of what is there once.
func (f *Frozen) Header() HeaderRow { return f.header }
