package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/klauspost/compress/zstd"

	"github.com/tokengrove/grove/fsm"
)

// ErrCorrupt is wrapped by every error about a file that is damaged, cut off or none of ours.
var ErrCorrupt = errors.New("corrupt snapshot")

// ErrVersion is wrapped when the file is of a version that this build does not know.
var ErrVersion = errors.New("unknown snapshot version")

// maxBlock bounds a block, compressed or not, so that a corrupt length never allocates. A
// row is smaller: it came through a log entry.
const maxBlock = fsm.MaxEntryBytes + 2*blockSize

// Info says what a snapshot holds.
type Info struct {
	Version uint16
	Rows    uint64
	ByKind  map[fsm.RowKind]uint64
	SHA256  [sha256.Size]byte
}

// Read restores a machine. It reads r to its end and checks everything before it returns
// one: checksums, order, invariants. A machine that Read made is nobody else's yet. An error
// of r itself is returned as it is, and is neither ErrCorrupt nor ErrVersion.
//
// A block is read and summed up, the next ones are decompressed and decoded, and an earlier one is
// put into the machine, all at the same time; rows are put in one after the other, in the order of
// the file, so that what comes out does not depend on who was faster.
func Read(r io.Reader) (*fsm.Machine, error) {
	_, m, err := ReadInfo(r)
	return m, err
}

// ReadInfo is Read, and says what the file holds.
func ReadInfo(r io.Reader) (Info, *fsm.Machine, error) {
	restorer := fsm.NewRestorer()
	info, err := scan(r, adder(restorer))
	if err != nil {
		return info, nil, err
	}
	m, checks, err := restorer.Link()
	if err == nil {
		err = beside(checks)
	}
	if err != nil {
		return info, nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return info, m, nil
}

// adder gives rows to a Restorer.
func adder(to *fsm.Restorer) func(*row) error {
	return func(r *row) error {
		if r.token != nil {
			return to.AddToken(r.token)
		}
		return to.Add(r.kind, []byte(r.body))
	}
}

// beside runs checks side by side, and returns the error of the first in the list that has one.
func beside(checks []func() error) error {
	errs := make([]error, len(checks))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(checks)); i = next.Add(1) - 1 {
				errs[i] = checks[i]()
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Inspect verifies a snapshot's checksums without restoring it.
func Inspect(r io.Reader) (Info, error) {
	return scan(r, func(*row) error { return nil })
}

// scan hands the rows of a file to use, in order.
func scan(r io.Reader, use func(*row) error) (Info, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		return Info{}, fmt.Errorf("opening zstd: %w", err)
	}
	defer z.Close()
	s := scanner{file: r, sum: sha256.New(), info: Info{ByKind: map[fsm.RowKind]uint64{}}, use: use}
	s.in = io.TeeReader(r, s.sum)
	if err := s.header(); err != nil {
		return s.info, err
	}
	var ahead sync.WaitGroup
	defer ahead.Wait()
	stop := make(chan struct{})
	defer close(stop)
	blocks := s.blocks(z, &ahead, stop)
	for b := range blocks {
		if err := s.take(<-b); err != nil {
			return s.info, err
		}
	}
	return s.info, s.trailer()
}

// scanner reads a file block by block and sums up its bytes.
type scanner struct {
	file io.Reader
	in   io.Reader // file, summed
	sum  hash.Hash
	info Info
	use  func(*row) error
}

// blocks reads the blocks of the file, up to the end mark or an error, and has each decoded beside
// the others. The channels come in the order of the file and yield one block each. Both kinds of
// goroutines are counted in wg, and end when stop is closed.
func (s *scanner) blocks(z *zstd.Decoder, wg *sync.WaitGroup, stop <-chan struct{}) <-chan chan block {
	out := make(chan chan block, runtime.GOMAXPROCS(0)) // so many are decoded ahead
	wg.Go(func() {
		defer close(out)
		for more := true; more; {
			compressed, err := s.block()
			if compressed == nil && err == nil {
				return
			}
			more = err == nil
			b := make(chan block, 1)
			select {
			case out <- b:
			case <-stop:
				return
			}
			if err != nil {
				b <- block{err: err}
				continue
			}
			wg.Go(func() { b <- decoded(z, compressed) })
		}
	})
	return out
}

// take hands the rows of a block on.
func (s *scanner) take(b block) error {
	for i := range b.rows {
		r := &b.rows[i]
		if err := s.use(r); err != nil {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		s.info.Rows++
		s.info.ByKind[r.kind]++
	}
	return b.err
}

func (s *scanner) read(part string, n int) ([]byte, error) {
	// The length is believed only as far as bytes really follow.
	var b bytes.Buffer
	b.Grow(min(n, blockSize))
	if _, err := io.CopyN(&b, s.in, int64(n)); err != nil {
		return nil, unread(part, err)
	}
	return b.Bytes(), nil
}

// unread says why part could not be read: the file is cut off, or the medium failed, which
// says nothing about the file.
func unread(part string, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%w: it ends in its %s", ErrCorrupt, part)
	}
	return fmt.Errorf("reading %s of snapshot: %w", part, err)
}

func (s *scanner) header() error {
	h, err := s.read("header", len(magic)+2)
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(h, []byte(magic)) {
		return fmt.Errorf("%w: it does not start with %q", ErrCorrupt, magic)
	}
	s.info.Version = binary.BigEndian.Uint16(h[len(magic):])
	if s.info.Version != Version {
		return fmt.Errorf("%w %d, this build knows %d", ErrVersion, s.info.Version, Version)
	}
	return nil
}

// block reads one compressed block; nil at the end mark.
func (s *scanner) block() ([]byte, error) {
	b, err := s.read("block length", 4)
	if err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(b)
	if size == 0 {
		return nil, nil
	}
	if size > maxBlock {
		return nil, fmt.Errorf("%w: block of %d bytes, at most %d", ErrCorrupt, size, maxBlock)
	}
	return s.read("block", int(size))
}

func (s *scanner) trailer() error {
	t, err := s.read("trailer", 8)
	if err != nil {
		return err
	}
	if n := binary.BigEndian.Uint64(t); n != s.info.Rows {
		return fmt.Errorf("%w: %d rows, the trailer says %d", ErrCorrupt, s.info.Rows, n)
	}
	want := s.sum.Sum(nil)
	if _, err := io.ReadFull(s.file, s.info.SHA256[:]); err != nil {
		return unread("trailer", err)
	}
	if !bytes.Equal(s.info.SHA256[:], want) {
		return fmt.Errorf("%w: the SHA-256 does not match", ErrCorrupt)
	}
	switch _, err := io.ReadFull(s.file, make([]byte, 1)); {
	case err == nil:
		return fmt.Errorf("%w: bytes after the trailer", ErrCorrupt)
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("reading the end of snapshot: %w", err)
	}
	return nil
}
