package fsm

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/audit"
	"github.com/tokengrove/grove/fsm/forest"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/planted"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// RowKind numbers the rows of a snapshot. The numbers are on disk: never reuse one.
type RowKind uint8

// The kinds of rows, in the order in which they stand in a snapshot.
const (
	RowHeader  RowKind = 1
	RowSession RowKind = 2
	RowPolicy  RowKind = 3
	RowRole    RowKind = 4
	RowMount   RowKind = 5
	RowMember  RowKind = 6
	RowChange  RowKind = 7
	RowToken   RowKind = 8
	// Of these there are few, mostly none.
	RowJoinToken RowKind = 30
	RowTrust     RowKind = 31
	RowAutopilot RowKind = 32
	RowBirth     RowKind = 33
	// What mounts keep, and failed logins.
	RowStored   RowKind = 50
	RowFailures RowKind = 51

	RowAuditDevice RowKind = 60
	RowAuditHeader RowKind = 61

	RowLineage   RowKind = 70
	RowSchedule  RowKind = 71
	RowCubbyhole RowKind = 80

	RowAnswer RowKind = 90

	RowKeyring RowKind = 100
	RowBan     RowKind = 101
	RowLeases  RowKind = 110 // what there is once of leases
	RowLease   RowKind = 111
	RowDying   RowKind = 112 // a removed token that has leases left
	RowCut     RowKind = 113
	RowLeaving RowKind = 114 // a disabled mount that has leases left
)

// HeaderRow is the first row: everything that is there once.
type HeaderRow struct {
	Index       uint64        `cbor:"1,keyasint"`
	At          token.Instant `cbor:"2,keyasint"`
	Epoch       uint64        `cbor:"3,keyasint"`
	ClusterID   string        `cbor:"4,keyasint"`
	ClusterName string        `cbor:"5,keyasint"`
	Salt        token.Salt    `cbor:"6,keyasint"`
	Forest      forest.Header `cbor:"7,keyasint"`
	Floor       uint64        `cbor:"8,keyasint,omitempty"` // of the remembered changes
}

// SessionRow is one edge session with its window, in the order of sequence numbers.
type SessionRow struct {
	Session SessionID     `cbor:"1,keyasint"`
	Node    string        `cbor:"2,keyasint"`
	Low     uint64        `cbor:"3,keyasint"`
	Used    token.Instant `cbor:"4,keyasint"`
	Results []ResultRow   `cbor:"5,keyasint,omitempty"`
}

// ResultRow is one remembered result.
type ResultRow struct {
	Seq    uint64 `cbor:"1,keyasint"`
	Result Result `cbor:"2,keyasint"`
}

// Frozen is an image of a Machine at one index. It may be read on another goroutine
// while the machine goes on.
type Frozen struct {
	memberRows
	header   HeaderRow
	sessions []SessionRow
	policies []policy.Policy
	roles    []role.Role
	mounting frozenMounting
	changes  []Change
	forest   *forest.Frozen
	upkeep   upkeepRows
	audit    *audit.Table
	answers  []*answer.Record
	sealing  sealing
}

// Freeze takes an image in O(pages of the forest + everything that is not a token).
// It runs on the machine's writer.
func (m *Machine) Freeze() *Frozen {
	f := &Frozen{
		header: HeaderRow{
			Index: m.index, At: m.at, Epoch: m.epoch,
			ClusterID: m.identity.ClusterID, ClusterName: m.identity.ClusterName, Salt: m.identity.Salt,
			Floor: m.changes.floor,
		},
		policies:   sortedValues(m.policies),
		roles:      sortedValues(m.roles),
		mounting:   m.mounting.freeze(),
		memberRows: m.membership.rows(),
		changes:    m.changes.rows(),
		forest:     m.forest.Freeze(),
		upkeep:     m.upkeep.freeze(),
		audit:      m.audit,
		answers:    m.answers.Freeze(),
		sealing:    m.sealing,
	}
	f.header.Forest = f.forest.Header()
	ids := slices.SortedFunc(maps.Keys(m.sessions), func(a, b SessionID) int { return slices.Compare(a[:], b[:]) })
	for _, id := range ids {
		f.sessions = append(f.sessions, m.sessions[id].row(id))
	}
	return f
}

func (s *session) row(id SessionID) SessionRow {
	r := SessionRow{Session: id, Node: s.node, Low: s.low, Used: s.used}
	for seq, res := range s.results { // order: sorted below
		r.Results = append(r.Results, ResultRow{Seq: seq, Result: res})
	}
	slices.SortFunc(r.Results, func(a, b ResultRow) int { return cmp.Compare(a.Seq, b.Seq) })
	return r
}

// Index returns the log index of the image.
func (f *Frozen) Index() uint64 { return f.header.Index }

// Rows yields every row in canonical order: equal states yield equal rows on every
// replica. It stops at the first error of yield and returns it.
func (f *Frozen) Rows(yield func(RowKind, any) error) error {
	return f.rows(yield, func(t forest.TokenRow) error { return yield(RowToken, t) })
}

// Encoded is Rows with the CBOR body of each row, which is good until the next one.
func (f *Frozen) Encoded(yield func(kind RowKind, body []byte) error) error {
	var body []byte
	var err error
	other := func(kind RowKind, row any) error {
		if body, err = appendRow(body[:0], kind, row); err != nil {
			return err
		}
		return yield(kind, body)
	}
	return f.rows(other, func(t forest.TokenRow) error {
		if body, err = appendTokenRow(body[:0], &t); err != nil {
			return err
		}
		return yield(RowToken, body)
	})
}

// rows yields the rows of tokens to tokens, and all others to yield.
func (f *Frozen) rows(yield func(RowKind, any) error, tokens func(forest.TokenRow) error) error {
	if err := yield(RowHeader, f.header); err != nil {
		return err
	}
	if err := rowsOf(RowSession, f.sessions, yield); err != nil {
		return err
	}
	if err := rowsOf(RowPolicy, f.policies, yield); err != nil {
		return err
	}
	if err := rowsOf(RowRole, f.roles, yield); err != nil {
		return err
	}
	if err := rowsOf(RowMount, f.mounting.mounts, yield); err != nil {
		return err
	}
	if err := rowsOf(RowMember, f.members, yield); err != nil {
		return err
	}
	if err := rowsOf(RowChange, f.changes, yield); err != nil {
		return err
	}
	if err := f.forest.Tokens(tokens); err != nil {
		return err
	}
	if err := rowsOf(RowJoinToken, f.joins, yield); err != nil {
		return err
	}
	if err := rowsOf(RowTrust, f.trust, yield); err != nil {
		return err
	}
	if err := rowsOf(RowAutopilot, f.autopilot, yield); err != nil {
		return err
	}
	if err := rowsOf(RowBirth, f.births, yield); err != nil {
		return err
	}
	if err := f.mounting.stored(yield); err != nil {
		return err
	}
	if err := rowsOf(RowFailures, f.mounting.failures, yield); err != nil {
		return err
	}
	if err := rowsOf(RowAuditDevice, f.audit.Devices, yield); err != nil {
		return err
	}
	if err := rowsOf(RowAuditHeader, f.audit.Headers, yield); err != nil {
		return err
	}
	if err := f.upkeep.yield(yield); err != nil {
		return err
	}
	if err := f.mounting.cubbyholes.rows(yield); err != nil {
		return err
	}
	for _, r := range f.answers {
		if r == nil {
			continue // a gap
		}
		if err := yield(RowAnswer, *r); err != nil {
			return err
		}
	}
	if err := f.sealing.rows(yield); err != nil {
		return err
	}
	return f.mounting.leasing.rows(yield)
}

func rowsOf[T any](kind RowKind, rows []T, yield func(RowKind, any) error) error {
	for _, r := range rows {
		if err := yield(kind, r); err != nil {
			return err
		}
	}
	return nil
}

// Restorer builds a Machine from the rows of a snapshot.
type Restorer struct {
	machine *Machine
	forest  *forest.Builder
	last    RowKind
}

// NewRestorer returns an empty Restorer.
func NewRestorer() *Restorer {
	m := New()
	m.forest = nil
	return &Restorer{machine: m, forest: forest.NewBuilder()}
}

// Add takes the next row: its kind and its CBOR body. Rows must come in the order in
// which Frozen.Rows yields them; unknown kinds and fields are errors.
func (r *Restorer) Add(kind RowKind, body []byte) error {
	if kind == RowToken {
		var row forest.TokenRow
		if err := DecodeTokenRow(string(body), &row); err != nil {
			return err
		}
		return r.AddToken(&row)
	}
	if err := r.turn(kind); err != nil {
		return err
	}
	if err := r.add(kind, body); err != nil {
		return fmt.Errorf("snapshot row of kind %d: %w", kind, err)
	}
	return nil
}

// AddToken is Add for a row of kind RowToken that was decoded before. It keeps nothing of it.
func (r *Restorer) AddToken(row *forest.TokenRow) error {
	if err := r.turn(RowToken); err != nil {
		return err
	}
	if planted.Is("uses-restored") {
		row.Record.UsesLeft = row.Record.NumUses
	}
	if err := r.forest.Add(*row); err != nil {
		return fmt.Errorf("snapshot row of kind %d: %w", RowToken, err)
	}
	return nil
}

// turn checks that a row of kind may come next.
func (r *Restorer) turn(kind RowKind) error {
	if kind < r.last || (kind == RowHeader) != (r.last == 0) {
		return fmt.Errorf("snapshot row of kind %d after one of kind %d", kind, r.last)
	}
	r.last = kind
	return nil
}

func (r *Restorer) add(kind RowKind, body []byte) error {
	m := r.machine
	switch kind {
	case RowHeader:
		return decodeRow(body, func(h HeaderRow) error {
			m.index, m.at, m.epoch, m.changes.floor = h.Index, h.At, h.Epoch, h.Floor
			m.identity = Identity{ClusterID: h.ClusterID, ClusterName: h.ClusterName, Salt: h.Salt}
			return r.forest.Header(h.Forest)
		})
	case RowSession:
		return decodeRow(body, func(s SessionRow) error {
			ses := &session{node: s.Node, low: s.Low, used: s.Used, results: make(map[uint64]Result, len(s.Results))}
			for _, res := range s.Results {
				ses.results[res.Seq] = res.Result
			}
			return putOnce(m.sessions, s.Session, ses)
		})
	case RowPolicy:
		return decodeRow(body, func(p policy.Policy) error { return putOnce(m.policies, p.Name, p) })
	case RowRole:
		return decodeRow(body, func(ro role.Role) error { return putOnce(m.roles, ro.Name, ro) })
	case RowMount:
		return decodeRow(body, func(mt mount.Mount) error { return putOnce(m.mounts, mt.Path, mt) })
	case RowMember:
		return decodeRow(body, func(mb Member) error { return putOnce(m.members, mb.ID, mb) })
	case RowChange:
		return decodeRow(body, m.changes.restore)
	case RowJoinToken:
		return decodeRow(body, func(t JoinToken) error { return putOnce(m.joining.tokens, t.Hash, t) })
	case RowTrust:
		return decodeRow(body, m.joining.restoreTrust)
	case RowAutopilot:
		return decodeRow(body, m.membership.restore)
	case RowBirth:
		return decodeRow(body, func(b Birth) error { return putOnce(m.births, b.Node, b.Birth) })
	case RowStored:
		return decodeRow(body, m.restoreStored)
	case RowFailures:
		return decodeRow(body, m.restoreFailures)
	case RowAuditDevice:
		return decodeRow(body, func(d audit.Device) error {
			m.audit = &audit.Table{Devices: append(m.audit.Devices, d), Headers: m.audit.Headers}
			return nil // Check finds what is out of order
		})
	case RowAuditHeader:
		return decodeRow(body, func(h audit.Header) error {
			m.audit = &audit.Table{Devices: m.audit.Devices, Headers: append(m.audit.Headers, h)}
			return nil
		})
	case RowLineage:
		return decodeRow(body, m.upkeep.restoreLineage)
	case RowSchedule:
		return decodeRow(body, m.upkeep.restoreSchedule)
	case RowCubbyhole:
		return decodeRow(body, m.cubbyholes.restore)
	case RowAnswer:
		return decodeRow(body, m.answers.Restore)
	case RowKeyring:
		return decodeRow(body, m.restoreRing)
	case RowBan:
		return decodeRow(body, m.bans.Restore)
	case RowLeases, RowLease, RowDying, RowCut, RowLeaving:
		return m.restoreRow(kind, body)
	}
	return fmt.Errorf("unknown kind")
}

func decodeRow[T any](body []byte, use func(T) error) error {
	var v T
	if err := decMode.Unmarshal(body, &v); err != nil {
		return err
	}
	return use(v)
}

func putOnce[K comparable, V any](dst map[K]V, k K, v V) error {
	if _, ok := dst[k]; ok {
		return fmt.Errorf("duplicate key %v", k)
	}
	dst[k] = v
	return nil
}

// Finish links everything and returns the machine, after Check.
func (r *Restorer) Finish() (*Machine, error) {
	m, checks, err := r.Link()
	if err != nil {
		return nil, err
	}
	for _, check := range checks {
		if err := check(); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// Link links everything and returns the machine, with the checks that it must pass before anybody
// may trust it. They only read it, and may run side by side.
func (r *Restorer) Link() (*Machine, []func() error, error) {
	if r.last == 0 {
		return nil, nil, fmt.Errorf("snapshot has no header row")
	}
	f, err := r.forest.Finish()
	if err != nil {
		return nil, nil, fmt.Errorf("restoring the forest: %w", err)
	}
	r.machine.plant(f)
	if err := r.machine.leases.Settle(); err != nil {
		return nil, nil, fmt.Errorf("restoring leases: %w", err)
	}
	checks := r.machine.checks()
	for i, check := range checks {
		checks[i] = func() error {
			if err := check(); err != nil {
				return fmt.Errorf("restored state: %w", err)
			}
			return nil
		}
	}
	return r.machine, checks, nil
}
