package snapshot

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"

	"github.com/tokengrove/grove/fsm"
)

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*fsm.Machine{
		"empty":      fsm.New(),
		"tokens":     sample(t, 500).machine,
		"reclaiming": reclaiming(t).machine,
		"answers":    answering(t).machine,
	} {
		t.Run(name, func(t *testing.T) {
			file := written(t, m)
			got, err := Read(iotest.OneByteReader(bytes.NewReader(file)))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(written(t, got), file) {
				t.Error("a restored machine writes other bytes")
			}
			want, err := Digest(m.Freeze())
			if err != nil {
				t.Fatal(err)
			}
			if d, err := Digest(got.Freeze()); err != nil || d != want {
				t.Errorf("digest %x, %v, want %x", d, err, want)
			}
		})
	}
}

func TestSeveralBlocks(t *testing.T) {
	t.Parallel()
	m := sample(t, 12_000).machine
	file := written(t, m)
	first := binary.BigEndian.Uint32(file[len(magic)+2:])
	if int(first) > len(file)*3/4 {
		t.Fatalf("the first block has %d of %d bytes: the sample is too small", first, len(file))
	}
	got, err := Read(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(written(t, got), file) {
		t.Error("a restored machine writes other bytes")
	}
}

// TestReadIsRowByRow: what Read decodes ahead and checks side by side is the state that the rows
// make one after the other.
func TestReadIsRowByRow(t *testing.T) {
	t.Parallel()
	for name, m := range map[string]*fsm.Machine{
		"several blocks": sample(t, 12_000).machine,
		"reclaiming":     reclaiming(t).machine,
	} {
		t.Run(name, func(t *testing.T) {
			file := written(t, m)
			restorer := fsm.NewRestorer()
			if _, err := scan(bytes.NewReader(file), func(r *row) error { return restorer.Add(r.kind, []byte(r.body)) }); err != nil {
				t.Fatal(err)
			}
			slow, err := restorer.Finish()
			if err != nil {
				t.Fatal(err)
			}
			fast, err := Read(bytes.NewReader(file))
			if err != nil {
				t.Fatal(err)
			}
			want, err := Digest(slow.Freeze())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := Digest(fast.Freeze()); err != nil || got != want {
				t.Errorf("digest %x, %v, want %x", got, err, want)
			}
		})
	}
}

// TestDamagedRowsAreRefused: a row that is whole, in a file whose sums are right, may still be none.
func TestDamagedRowsAreRefused(t *testing.T) {
	t.Parallel()
	file := written(t, sample(t, 300).machine)
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	plain, err := z.DecodeAll(file[len(magic)+6:][:binary.BigEndian.Uint32(file[len(magic)+2:])], nil)
	if err != nil {
		t.Fatal(err)
	}
	whole := split(plain)
	for i, r := range whole.rows {
		if r.kind != fsm.RowToken {
			continue
		}
		for name, body := range map[string]string{
			"cut":     r.body[:len(r.body)-1],
			"padded":  r.body + "\x00",
			"empty":   "",
			"doubled": r.body + r.body,
		} {
			bad := slices.Clone(whole.rows)
			bad[i].body = body
			restorer := fsm.NewRestorer()
			s := scanner{info: Info{ByKind: map[fsm.RowKind]uint64{}}, use: adder(restorer)}
			if err := s.take(parse(joined(bad))); !errors.Is(err, ErrCorrupt) {
				t.Fatalf("row %d, %s: %v, want ErrCorrupt", i, name, err)
			}
		}
	}
}

// joined is the inverse of split.
func joined(rows []row) []byte {
	var b []byte
	for _, r := range rows {
		b = binary.AppendUvarint(append(b, byte(r.kind)), uint64(len(r.body)))
		b = append(b, r.body...)
	}
	return b
}

func TestInspect(t *testing.T) {
	t.Parallel()
	info, err := Inspect(bytes.NewReader(written(t, sample(t, 500).machine)))
	if err != nil {
		t.Fatal(err)
	}
	if info.ByKind[fsm.RowToken] != 501 || info.ByKind[fsm.RowHeader] != 1 || info.Version != Version {
		t.Errorf("Inspect: %+v, want 501 tokens, 1 header, version %d", info, Version)
	}
	var sum uint64
	for _, n := range info.ByKind {
		sum += n
	}
	if sum != info.Rows {
		t.Errorf("%d rows by kind, %d rows", sum, info.Rows)
	}
}

func TestDigestFollowsTheState(t *testing.T) {
	t.Parallel()
	b := sample(t, 5)
	before, err := Digest(b.machine.Freeze())
	if err != nil {
		t.Fatal(err)
	}
	b.machine.Advance(b.index + 1)
	after, err := Digest(b.machine.Freeze())
	if err != nil {
		t.Fatal(err)
	}
	if before == after {
		t.Error("two states at different indexes have one digest")
	}
}

func TestEveryTruncationIsRefused(t *testing.T) {
	t.Parallel()
	file := written(t, sample(t, 3).machine)
	for n := range file {
		if _, err := Read(bytes.NewReader(file[:n])); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("first %d of %d bytes: %v, want ErrCorrupt", n, len(file), err)
		}
	}
	if _, err := Read(bytes.NewReader(append(file, 0))); !errors.Is(err, ErrCorrupt) {
		t.Errorf("one byte more: %v, want ErrCorrupt", err)
	}
}

// refusedFlip returns what is wrong with the answer to a damaged file: damage is ErrCorrupt,
// but a damaged version may look like one that comes later.
func refusedFlip(at int, err error) bool {
	if at == len(magic) || at == len(magic)+1 {
		return errors.Is(err, ErrVersion) && !errors.Is(err, ErrCorrupt)
	}
	return errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion)
}

func TestEveryFlipIsRefused(t *testing.T) {
	t.Parallel()
	file := written(t, sample(t, 3).machine)
	for i := range file {
		for bit := range 8 {
			bad := bytes.Clone(file)
			bad[i] ^= 1 << bit
			if _, err := Read(bytes.NewReader(bad)); !refusedFlip(i, err) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
		bad := bytes.Clone(file)
		bad[i] = ^bad[i]
		if _, err := Read(bytes.NewReader(bad)); !refusedFlip(i, err) {
			t.Fatalf("byte %d inverted: %v", i, err)
		}
	}
}

func TestRandomDamageIsRefused(t *testing.T) {
	t.Parallel()
	file := written(t, sample(t, 1000).machine)
	const body = len(magic) + 2
	r := rand.New(rand.NewPCG(1, 2))
	for n := range 3000 {
		bad := bytes.Clone(file)
		for range 1 + r.IntN(4) {
			bad[body+r.IntN(len(bad)-body)] ^= byte(1 + r.IntN(255))
		}
		if bytes.Equal(bad, file) {
			continue // the flips undid each other
		}
		if _, err := Inspect(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) {
			t.Fatalf("damage %d: %v, want ErrCorrupt", n, err)
		}
	}
}

func TestUnknownVersion(t *testing.T) {
	t.Parallel()
	for _, version := range []uint16{0, Version + 1, 0xffff} {
		file := written(t, sample(t, 1).machine)
		binary.BigEndian.PutUint16(file[len(magic):], version)
		_, err := Read(bytes.NewReader(file))
		if !errors.Is(err, ErrVersion) || errors.Is(err, ErrCorrupt) {
			t.Errorf("version %d: %v, want ErrVersion and not ErrCorrupt", version, err)
		}
	}
}

// TestHostileLengths gives Read files whose lengths promise more than there is.
func TestHostileLengths(t *testing.T) {
	t.Parallel()
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	header := binary.BigEndian.AppendUint16([]byte(magic), Version)
	block := func(rows []byte) []byte {
		b := z.EncodeAll(rows, nil)
		return append(binary.BigEndian.AppendUint32(bytes.Clone(header), uint32(len(b))), b...)
	}
	for name, file := range map[string][]byte{
		"block longer than allowed":  binary.BigEndian.AppendUint32(bytes.Clone(header), 0xffffffff),
		"block longer than the file": binary.BigEndian.AppendUint32(bytes.Clone(header), maxBlock),
		"zip bomb":                   block(make([]byte, maxBlock+1)),
		"row longer than its block":  block([]byte{1, 0xff, 0xff, 0xff, 0xff, 0x0f}),
		"varint without an end":      block(bytes.Repeat([]byte{0xff}, 20)),
		"kind without a length":      block([]byte{1}),
		"unknown kind":               block([]byte{99, 0}),
		"empty file":                 nil,
		"header only":                header,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Read(bytes.NewReader(file)); !errors.Is(err, ErrCorrupt) {
				t.Errorf("%v, want ErrCorrupt", err)
			}
		})
	}
}

// TestReaderFails: a disk that fails says nothing about the file.
func TestReaderFails(t *testing.T) {
	t.Parallel()
	file := written(t, sample(t, 3).machine)
	broken := errors.New("the disk is gone")
	for n := range len(file) + 1 {
		_, err := Read(io.MultiReader(bytes.NewReader(file[:n]), iotest.ErrReader(broken)))
		if !errors.Is(err, broken) || errors.Is(err, ErrCorrupt) {
			t.Fatalf("after %d bytes: %v, want %v and not ErrCorrupt", n, err, broken)
		}
	}
}

// limitWriter takes n bytes and then fails.
type limitWriter struct{ n int }

var errFull = errors.New("disk full")

func (w *limitWriter) Write(p []byte) (int, error) {
	if len(p) > w.n {
		return 0, errFull
	}
	w.n -= len(p)
	return len(p), nil
}

func TestWriterFails(t *testing.T) {
	t.Parallel()
	m := sample(t, 3).machine
	size := len(written(t, m))
	for n := range size {
		if err := Write(&limitWriter{n}, m.Freeze()); !errors.Is(err, errFull) {
			t.Fatalf("room for %d of %d bytes: %v, want %v", n, size, err, errFull)
		}
	}
	if err := Write(&limitWriter{size}, m.Freeze()); err != nil {
		t.Errorf("room for all: %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(written(f, sample(f, 3).machine))
	f.Add(written(f, fsm.New()))
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Read(bytes.NewReader(b))
		if err == nil {
			if err := m.Check(); err != nil {
				t.Errorf("restored a state that does not hold: %v", err)
			}
		} else if !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrVersion) {
			t.Errorf("%v is neither ErrCorrupt nor ErrVersion", err)
		}
	})
}

// FuzzRows skips checksums and compression, which a fuzzer cannot pass, and gives rows of
// its own to what reads them.
func FuzzRows(f *testing.F) {
	z, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	file := written(f, sample(f, 3).machine)
	size := binary.BigEndian.Uint32(file[len(magic)+2:])
	rows, err := z.DecodeAll(file[len(magic)+6:][:size], nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(rows)
	f.Fuzz(func(t *testing.T, rows []byte) {
		// Decoded ahead and one by one, rows mean the same.
		fast, slow := fsm.NewRestorer(), fsm.NewRestorer()
		ahead := scanner{info: Info{ByKind: map[fsm.RowKind]uint64{}}, use: adder(fast)}
		single := scanner{info: Info{ByKind: map[fsm.RowKind]uint64{}}, use: func(r *row) error { return slow.Add(r.kind, []byte(r.body)) }}
		b := parse(rows)
		err, err2 := ahead.take(b), single.take(b)
		if (err == nil) != (err2 == nil) {
			t.Fatalf("decoded ahead: %v, one by one: %v", err, err2)
		}
		if err != nil {
			return
		}
		m, err := fast.Finish()
		if err != nil {
			return
		}
		if _, err := Digest(m.Freeze()); err != nil {
			t.Errorf("a restored state has no digest: %v", err)
		}
	})
}
