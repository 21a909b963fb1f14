package fsm

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// upkeep is what keeps the state itself safe: its history, and who backs it up when.
type upkeep struct {
	lineage   Lineage
	schedules map[string]Schedule

	// What follows is not part of the state: it tells the replica what the last entry was about.
	checkpoint uint64  // index of the last Checkpoint
	verdict    Verdict // of the last ConfirmCheckpoint
}

func newUpkeep() upkeep { return upkeep{schedules: map[string]Schedule{}} }

// Lineage says where the state comes from, once a snapshot was restored.
type Lineage struct {
	// StoreEpoch counts the restores; 0: none yet.
	StoreEpoch uint64 `cbor:"1,keyasint"`
	// Restored is when the last one was, Snapshot the time of its snapshot.
	Restored token.Instant `cbor:"2,keyasint"`
	Snapshot token.Instant `cbor:"3,keyasint"`
	// Cluster is the ID of the cluster that the snapshot was taken of.
	Cluster string `cbor:"4,keyasint"`
}

// Verdict is the state hash that most voters have at the index of a checkpoint.
type Verdict struct {
	Index uint64            `cbor:"1,keyasint"`
	Hash  [sha256.Size]byte `cbor:"2,keyasint"`
}

// Schedule is one configuration of automatic snapshots, and what became of them.
type Schedule struct {
	Name       string        `cbor:"1,keyasint"`
	Interval   time.Duration `cbor:"2,keyasint"`
	Retain     uint32        `cbor:"3,keyasint"`
	PathPrefix string        `cbor:"4,keyasint"`
	FilePrefix string        `cbor:"5,keyasint"`
	MaxSpace   uint64        `cbor:"6,keyasint,omitempty"` // bytes; 0: as much as there is
	Last       SnapshotRun   `cbor:"7,keyasint,omitzero"`  // the last attempt
	Good       SnapshotRun   `cbor:"8,keyasint,omitzero"`  // the last that succeeded
	Failures   uint64        `cbor:"9,keyasint,omitempty"` // in a row
}

// SnapshotRun is one automatic snapshot.
type SnapshotRun struct {
	Start token.Instant `cbor:"1,keyasint"`
	End   token.Instant `cbor:"2,keyasint"`
	Index uint64        `cbor:"3,keyasint,omitempty"`
	File  string        `cbor:"4,keyasint,omitempty"`
	Node  string        `cbor:"5,keyasint,omitempty"`
	Error string        `cbor:"6,keyasint,omitempty"` // "": it succeeded
}

const (
	// maxSchedules bounds the configurations of automatic snapshots.
	maxSchedules = 64
	// maxScheduleText bounds each of their texts.
	maxScheduleText = 1024
	// MinSnapshotInterval is the shortest time between automatic snapshots of one configuration.
	MinSnapshotInterval = time.Second
	// snapshotRetry is how soon an automatic snapshot that failed is tried again, at first.
	snapshotRetry = 5 * time.Second
	// MaxRetain is how many files one configuration keeps at most.
	MaxRetain = 10_000
)

// Next is when the next snapshot is due: an interval after the last one began; after a failure sooner, and later
// with every failure in a row.
func (s *Schedule) Next() token.Instant {
	switch {
	case s.Last.Start == 0:
		return 0
	case s.Failures > 0:
		return s.Last.End.Add(min(s.Interval, snapshotRetry<<min(s.Failures-1, 6)))
	}
	return s.Last.Start.Add(s.Interval)
}

// check says what is wrong with a schedule.
func (s *Schedule) check() error {
	switch {
	case s.Name == "" || len(s.Name) > maxScheduleText:
		return fmt.Errorf("a configuration of automatic snapshots needs a name of at most %d bytes", maxScheduleText)
	case s.Interval < MinSnapshotInterval:
		return fmt.Errorf("interval %s: %s or more is allowed", s.Interval, MinSnapshotInterval)
	case s.Retain < 1 || s.Retain > MaxRetain:
		return fmt.Errorf("retain %d: 1 to %d is allowed", s.Retain, MaxRetain)
	case s.PathPrefix == "" || len(s.PathPrefix) > maxScheduleText:
		return fmt.Errorf("path_prefix: a folder of at most %d bytes is needed", maxScheduleText)
	case s.FilePrefix == "" || len(s.FilePrefix) > maxScheduleText || strings.ContainsAny(s.FilePrefix, "/\\*?[\x00"):
		return fmt.Errorf("file_prefix %q: a name without slashes, *, ? and [ is needed", s.FilePrefix)
	}
	return nil
}

// upkeepRows is an upkeep in the rows of a snapshot.
type upkeepRows struct {
	lineage   []Lineage // at most one
	schedules []Schedule
}

func (u *upkeep) freeze() upkeepRows {
	r := upkeepRows{schedules: sortedValues(u.schedules)}
	if u.lineage.StoreEpoch != 0 {
		r.lineage = []Lineage{u.lineage}
	}
	return r
}

func (r *upkeepRows) yield(yield func(RowKind, any) error) error {
	if err := rowsOf(RowLineage, r.lineage, yield); err != nil {
		return err
	}
	return rowsOf(RowSchedule, r.schedules, yield)
}

func (u *upkeep) restoreSchedule(s Schedule) error { return putOnce(u.schedules, s.Name, s) }

// restoreLineage takes the one row that there may be.
func (u *upkeep) restoreLineage(l Lineage) error {
	if u.lineage.StoreEpoch != 0 || l.StoreEpoch == 0 {
		return fmt.Errorf("a lineage of store epoch %d after one of %d", l.StoreEpoch, u.lineage.StoreEpoch)
	}
	u.lineage = l
	return nil
}

func (u *upkeep) check() error {
	if len(u.schedules) > maxSchedules {
		return fmt.Errorf("%d configurations of automatic snapshots, at most %d", len(u.schedules), maxSchedules)
	}
	for _, name := range slices.Sorted(maps.Keys(u.schedules)) {
		s := u.schedules[name]
		if s.Name != name {
			return fmt.Errorf("automatic snapshots %q are stored as %q", s.Name, name)
		}
		if err := s.check(); err != nil {
			return fmt.Errorf("automatic snapshots %q: %w", name, err)
		}
	}
	return nil
}

// Lineage returns where the state comes from.
func (m *Machine) Lineage() Lineage { return m.upkeep.lineage }

// Schedules returns the configurations of automatic snapshots, sorted by name.
func (m *Machine) Schedules() []Schedule { return sortedValues(m.upkeep.schedules) }

// Schedule returns one of them.
func (m *Machine) Schedule(name string) (Schedule, bool) {
	s, ok := m.upkeep.schedules[name]
	return s, ok
}

// Checkpoint returns the index of the last Checkpoint that this machine has applied, 0 if it was in
// a snapshot or never.
func (m *Machine) Checkpoint() uint64 { return m.upkeep.checkpoint }

// Verdict returns the last one that this machine has applied.
func (m *Machine) Verdict() Verdict { return m.upkeep.verdict }
