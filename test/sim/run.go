package sim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"reflect"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/snapshot"
)

// session is the edge session that the simulation proposes under.
var session = fsm.SessionID{1}

// run is one simulation.
type run struct {
	machine *fsm.Machine
	model   *model
	gen     *generator
	log     [][]byte
	index   uint64
	seq     uint64
	before  []byte // rows at the index before
}

// fullEvery is how often a step goes through a whole snapshot file and not only its rows.
const fullEvery = 20

// recordsEvery is how often every live token is compared in full, and not only as to whether it lives.
// What a command returned is compared always.
const recordsEvery = 5

// Run applies steps random entries made from seed and returns the number of commands
// in them, and the first disagreement.
func Run(seed uint64, steps int) (int, error) {
	m := newModel()
	r := &run{machine: fsm.New(), model: m, gen: newGenerator(seed, m)}
	m.engines.lends.turns = r.machine.Revocation
	if err := r.start(); err != nil {
		return 0, fmt.Errorf("seed %d: start: %w", seed, err)
	}
	for i := range steps {
		if err := r.step(); err != nil {
			return int(r.seq), fmt.Errorf("seed %d step %d: %w\nrepeat: scripts/sim -seed %d -steps %d", seed, i, err, seed, steps)
		}
	}
	if err := r.replay(); err != nil {
		return int(r.seq), fmt.Errorf("seed %d: replay: %w\nrepeat: scripts/sim -seed %d -steps %d", seed, err, seed, steps)
	}
	return int(r.seq), nil
}

// start opens the session and initializes, as every log begins.
func (r *run) start() error {
	r.model.at = 1_000_000_000_123_456_789
	var items []fsm.Item
	for _, c := range []fsm.Command{&fsm.OpenSession{Session: session, Node: "sim"}, r.gen.initialize()} {
		it, err := item(0, c)
		if err != nil {
			return err
		}
		items = append(items, it)
		r.model.step(c)
	}
	_, err := r.apply(fsm.Group{Items: items})
	if err != nil {
		return err
	}
	r.before, err = r.bytes(r.machine)
	return err
}

func item(seq uint64, c fsm.Command) (fsm.Item, error) {
	k, b, err := fsm.EncodeCommand(c)
	return fsm.Item{Seq: seq, Kind: k, Body: b}, err
}

func (r *run) apply(groups ...fsm.Group) ([]fsm.Result, error) {
	r.index++
	entry := fsm.AppendEntry(nil, fsm.Entry{At: r.model.at, Groups: groups})
	r.log = append(r.log, entry)
	return r.machine.Apply(r.index, entry)
}

// step makes one entry of a few commands, applies it, and compares everything.
func (r *run) step() error {
	if r.gen.r.IntN(3) == 0 {
		r.model.at = r.model.at.Add(time.Duration(r.gen.r.IntN(8_000)) * time.Millisecond)
	}
	if r.gen.r.IntN(200) == 0 {
		r.model.at = r.model.at.Add(11 * time.Hour)
	}
	r.issue()
	var want []answer
	g := fsm.Group{Session: session, Low: r.seq + 1}
	r.model.engines.index = r.index + 1
	for range 1 + r.gen.r.IntN(4) {
		c := r.gen.command()
		r.seq++
		it, err := item(r.seq, c)
		if err != nil {
			return err
		}
		g.Items = append(g.Items, it)
		want = append(want, r.model.step(c).copied())
	}
	r.model.endEntry()
	groups := []fsm.Group{g}
	if r.gen.r.IntN(10) == 0 {
		groups = append(groups, g) // sent twice: must answer the same and happen once
	}
	got, err := r.apply(groups...)
	if err != nil {
		return err
	}
	for i := range got {
		if err := compare(want[i%len(want)], got[i]); err != nil {
			return fmt.Errorf("command %d (%T): %w", i, mustCommand(g.Items[i%len(want)]), err)
		}
	}
	return r.compareState()
}

// copied detaches the record, which later commands of the same entry may change.
func (a answer) copied() answer {
	if a.record != nil {
		rec := *a.record
		a.record = &rec
	}
	return a
}

func mustCommand(it fsm.Item) fsm.Command {
	c, err := fsm.DecodeCommand(it.Kind, it.Body)
	if err != nil {
		panic(err)
	}
	return c
}

func compare(want answer, got fsm.Result) error {
	uses := -1
	if got.Caller != nil {
		uses = int(got.Caller.UsesLeft)
	}
	if got.Code != want.code || got.Stale != want.stale || uses != want.uses {
		return fmt.Errorf("code %d (%s) stale %v uses %d, want code %d stale %v uses %d", got.Code, got.Message, got.Stale, uses, want.code, want.stale, want.uses)
	}
	if want.record == nil || got.Token == nil {
		if want.record != nil {
			return fmt.Errorf("no token in the result, want %+v", *want.record)
		}
		return nil
	}
	return sameRecord(*want.record, *got.Token)
}

func sameRecord(want, got token.Record) error {
	if len(want.Policies) == 0 {
		want.Policies = nil
	}
	if len(got.Policies) == 0 {
		got.Policies = nil
	}
	if !reflect.DeepEqual(want, got) {
		return fmt.Errorf("token differs\n got %+v\nwant %+v", got, want)
	}
	return nil
}

// compareState checks every token that ever was, the invariants, and the replica that was
// restored one entry ago.
func (r *run) compareState() error {
	var live uint64
	for h, n := range r.model.tokens {
		alive := r.model.alive(n)
		got, ok := r.machine.Lookup(h, r.model.at)
		if ok != alive {
			return fmt.Errorf("token %s alive %v, want %v", h, ok, alive)
		}
		byName, named := r.machine.LookupAccessor(n.rec.Accessor, r.model.at)
		if named != ok || byName.Hash != got.Hash {
			return fmt.Errorf("accessor of %s finds %v %s", h, named, byName.Hash)
		}
		if err := compareCubbyhole(r.machine, h, n, alive, r.model.at); err != nil {
			return err
		}
		if !ok {
			continue
		}
		live++
		if r.index%recordsEvery != 0 {
			continue
		}
		if err := sameRecord(n.rec, got); err != nil {
			return err
		}
	}
	if n := r.machine.TokenCount(r.model.at); n != live {
		return fmt.Errorf("%d tokens counted, want %d", n, live)
	}
	for _, k := range r.model.kept {
		if _, ok := r.machine.Answer(k.caller.rec.Hash, k.key, r.model.at); ok != r.model.hears(k) {
			return fmt.Errorf("answer to %s under %x: told %v, want %v", k.caller.rec.Hash, k.key[0], ok, !ok)
		}
	}
	if err := r.machine.Check(); err != nil {
		return err
	}
	if !r.model.compareAudit(r.machine.Audit()) {
		return fmt.Errorf("audit table %+v, the model has %+v", r.machine.Audit(), r.model.audits)
	}
	if err := r.model.compareEngines(r.machine); err != nil {
		return err
	}
	if err := r.model.compareLeases(r.machine); err != nil {
		return err
	}
	if err := r.model.compareSealing(r.machine); err != nil {
		return err
	}
	return r.compareReplica()
}

// compareReplica restores the state of the index before, applies the last entry to it, and
// wants the bytes of the machine that was never restored.
func (r *run) compareReplica() error {
	replica, err := restore(r.before)
	if err != nil {
		return fmt.Errorf("restoring index %d: %w", r.index-1, err)
	}
	if _, err := replica.Apply(r.index, r.log[len(r.log)-1]); err != nil {
		return err
	}
	want, err := r.bytes(r.machine)
	if err != nil {
		return err
	}
	got, err := r.bytes(replica)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return fmt.Errorf("a replica restored at index %d differs after entry %d", r.index-1, r.index)
	}
	r.before = want
	if r.index%fullEvery == 0 {
		return compareFile(r.machine)
	}
	return nil
}

// compareFile writes a snapshot, restores it, and wants the same file from the restored one.
func compareFile(m *fsm.Machine) error {
	var a, b bytes.Buffer
	if err := snapshot.Write(&a, m.Freeze()); err != nil {
		return err
	}
	file := bytes.Clone(a.Bytes())
	restored, err := snapshot.Read(&a)
	if err != nil {
		return err
	}
	if err := snapshot.Write(&b, restored.Freeze()); err != nil {
		return err
	}
	if !bytes.Equal(file, b.Bytes()) {
		return fmt.Errorf("a restored snapshot writes other bytes")
	}
	return nil
}

// bytes returns the rows of m: kind, length, CBOR body, each.
func (r *run) bytes(m *fsm.Machine) ([]byte, error) {
	var b []byte
	err := m.Freeze().Rows(func(kind fsm.RowKind, row any) error {
		body, err := encoder.Marshal(row)
		b = binary.AppendUvarint(append(b, byte(kind)), uint64(len(body)))
		b = append(b, body...)
		return err
	})
	return b, err
}

// restore is the inverse of bytes.
func restore(b []byte) (*fsm.Machine, error) {
	r := fsm.NewRestorer()
	for len(b) > 0 {
		size, n := binary.Uvarint(b[1:])
		end := 1 + n + int(size)
		if err := r.Add(fsm.RowKind(b[0]), b[1+n:end]); err != nil {
			return nil, err
		}
		b = b[end:]
	}
	return r.Finish()
}

// encoder is CBOR's core deterministic form, as the snapshot package uses it.
var encoder = func() cbor.EncMode {
	m, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		panic(err)
	}
	return m
}()

// replay applies the whole log to a new machine and wants the same bytes.
func (r *run) replay() error {
	m := fsm.New()
	for i, e := range r.log {
		if _, err := m.Apply(uint64(i+1), e); err != nil {
			return err
		}
	}
	got, err := r.bytes(m)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, r.before) {
		return fmt.Errorf("a replay of %d entries gives other bytes", len(r.log))
	}
	return nil
}
