package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"io"

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
func Read(r io.Reader) (*fsm.Machine, error) {
	restorer := fsm.NewRestorer()
	if _, err := scan(r, restorer.Add); err != nil {
		return nil, err
	}
	m, err := restorer.Finish()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	return m, nil
}

// Inspect verifies a snapshot's checksums without restoring it.
func Inspect(r io.Reader) (Info, error) {
	return scan(r, func(fsm.RowKind, []byte) error { return nil })
}

func scan(r io.Reader, use func(fsm.RowKind, []byte) error) (Info, error) {
	s := scanner{file: r, sum: sha256.New(), info: Info{ByKind: map[fsm.RowKind]uint64{}}, use: use}
	s.in = io.TeeReader(r, s.sum)
	if err := s.header(); err != nil {
		return s.info, err
	}
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxBlock))
	if err != nil {
		return s.info, fmt.Errorf("opening zstd: %w", err)
	}
	defer z.Close()
	s.zstd = z
	for {
		more, err := s.block()
		if err != nil {
			return s.info, err
		}
		if !more {
			return s.info, s.trailer()
		}
	}
}

// scanner reads a file block by block and sums up its bytes.
type scanner struct {
	file io.Reader
	in   io.Reader // file, summed
	sum  hash.Hash
	zstd *zstd.Decoder
	info Info
	use  func(fsm.RowKind, []byte) error
	rows []byte
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

// block reads one block and hands its rows on; false at the end mark.
func (s *scanner) block() (bool, error) {
	b, err := s.read("block length", 4)
	if err != nil {
		return false, err
	}
	size := binary.BigEndian.Uint32(b)
	if size == 0 {
		return false, nil
	}
	if size > maxBlock {
		return false, fmt.Errorf("%w: block of %d bytes, at most %d", ErrCorrupt, size, maxBlock)
	}
	if b, err = s.read("block", int(size)); err != nil {
		return false, err
	}
	if s.rows, err = s.zstd.DecodeAll(b, s.rows[:0]); err != nil {
		return false, fmt.Errorf("%w: block: %w", ErrCorrupt, err)
	}
	for rest := s.rows; len(rest) > 0; {
		if rest, err = s.row(rest); err != nil {
			return false, err
		}
	}
	return true, nil
}

func (s *scanner) row(b []byte) ([]byte, error) {
	kind := fsm.RowKind(b[0])
	size, n := binary.Uvarint(b[1:])
	if n <= 0 || size > uint64(len(b)-1-n) {
		return nil, fmt.Errorf("%w: row longer than its block", ErrCorrupt)
	}
	body, rest := b[1+n:1+n+int(size)], b[1+n+int(size):]
	if err := s.use(kind, body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	s.info.Rows++
	s.info.ByKind[kind]++
	return rest, nil
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
