package scale

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/snapshot"
)

// freezes is how often the pause of a snapshot is measured.
const freezes = 9

// freeze measures the pause of a snapshot. Between two, commands are applied, so that
// pages are cloned as they are in the field; what that costs the commands is measured too.
func (r *run) freeze(ctx context.Context) error {
	var pause, after timing
	next := r.pop.mix()
	for range freezes {
		begin := time.Now()
		r.pop.machine.Freeze()
		pause.add(time.Since(begin))
		for range r.o.Samples / freezes {
			if err := r.timed(ctx, &after, next, 1); err != nil {
				return err
			}
		}
	}
	r.record("freeze p50", micros(pause.quantile(0.5)), "µs", freezes)
	r.record("freeze max", micros(pause.max()), "µs", freezes)
	r.record("apply p99 after a freeze", micros(after.quantile(0.99)), "µs", len(after.all))
	return nil
}

// persist measures Apply while a snapshot is written beside it.
func (r *run) persist(ctx context.Context) error {
	var t timing
	next := r.pop.mix()
	frozen := r.pop.machine.Freeze()
	type written struct {
		file
		err error
	}
	done := make(chan written)
	go func() {
		f, err := r.write("beside", frozen)
		done <- written{f, err}
	}()
	for {
		select {
		case w := <-done:
			r.record("write beside apply", millis(w.took), "ms", 1)
			r.record("apply p50 beside write", micros(t.quantile(0.5)), "µs", len(t.all))
			r.record("apply p99 beside write", micros(t.quantile(0.99)), "µs", len(t.all))
			r.record("apply max beside write", micros(t.max()), "µs", len(t.all))
			return errors.Join(w.err, os.Remove(w.name))
		default:
		}
		if err := r.timed(ctx, &t, next, 1); err != nil {
			return errors.Join(err, (<-done).err)
		}
	}
}

// file is a snapshot on disk.
type file struct {
	name string
	size int64
	took time.Duration
}

// write writes an image to disk, to the last byte.
func (r *run) write(name string, z *fsm.Frozen) (f file, err error) {
	f.name = filepath.Join(r.o.Dir, fmt.Sprintf("%s-%d.snap", name, r.o.Tokens))
	begin := time.Now()
	out, err := os.Create(f.name)
	if err != nil {
		return f, fmt.Errorf("creating the snapshot: %w", err)
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	buffered := bufio.NewWriterSize(out, 1<<20)
	if err := errors.Join(snapshot.Write(buffered, z), buffered.Flush(), out.Sync()); err != nil {
		return f, err
	}
	f.took = time.Since(begin)
	info, err := out.Stat()
	if err != nil {
		return f, fmt.Errorf("size of the snapshot: %w", err)
	}
	f.size = info.Size()
	return f, nil
}

// snapshot measures writing and restoring with nothing beside.
func (r *run) snapshot(ctx context.Context) error {
	f, err := r.write("alone", r.pop.machine.Freeze())
	if err != nil {
		return err
	}
	r.record("write", millis(f.took), "ms", 1)
	r.record("snapshot", float64(f.size), "B", 1)
	r.record("snapshot per token", float64(f.size)/float64(r.o.Tokens), "B", 1)
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := os.Open(f.name)
	if err != nil {
		return fmt.Errorf("opening the snapshot: %w", err)
	}
	begin := time.Now()
	m, err := snapshot.Read(bufio.NewReaderSize(in, 1<<20))
	took := time.Since(begin)
	if err := errors.Join(err, in.Close(), os.Remove(f.name)); err != nil {
		return err
	}
	r.record("restore", millis(took), "ms", 1)
	return same(m, r.pop)
}

// same checks what can be checked at once: the index, and the number of tokens. That the
// bytes agree is test/sim's business.
func same(m *fsm.Machine, p *population) error {
	got, want := m.TokenCount(p.at), p.machine.TokenCount(p.at)
	if m.Index() != p.machine.Index() || got != want {
		return fmt.Errorf("restored at index %d with %d tokens, want %d with %d: %w", m.Index(), got, p.machine.Index(), want, errWrong)
	}
	return nil
}
