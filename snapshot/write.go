package snapshot

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/tokengrove/grove/fsm"
)

// Version is the format version that Write writes.
const Version = 1

const magic = "GROVESNP"

// blockSize is how many bytes of rows one block gathers before it is compressed.
const blockSize = 1 << 20

// Write streams the state to w. It may run on another goroutine than the machine's writer.
func Write(w io.Writer, f *fsm.Frozen) error {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		return fmt.Errorf("opening zstd: %w", err)
	}
	defer z.Close()
	b := &blockWriter{sum: sha256.New(), zstd: z}
	b.out = io.MultiWriter(w, b.sum)
	if err := b.emit(binary.BigEndian.AppendUint16([]byte(magic), Version)); err != nil {
		return err
	}
	var rows uint64
	err = encodeRows(f, func(head, body []byte) error {
		rows++
		b.rows = append(append(b.rows, head...), body...)
		if len(b.rows) < blockSize {
			return nil
		}
		return b.flush()
	})
	if err != nil {
		return err
	}
	if err := b.flush(); err != nil {
		return err
	}
	if err := b.emit(binary.BigEndian.AppendUint64(make([]byte, 4), rows)); err != nil {
		return err
	}
	if _, err := w.Write(b.sum.Sum(nil)); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	return nil
}

// blockWriter gathers rows and writes them as compressed blocks.
type blockWriter struct {
	out  io.Writer
	sum  hash.Hash
	zstd *zstd.Encoder
	rows []byte
	buf  []byte
}

func (b *blockWriter) emit(p []byte) error {
	if _, err := b.out.Write(p); err != nil {
		return fmt.Errorf("writing snapshot: %w", err)
	}
	return nil
}

func (b *blockWriter) flush() error {
	if len(b.rows) == 0 {
		return nil
	}
	b.buf = b.zstd.EncodeAll(b.rows, append(b.buf[:0], 0, 0, 0, 0))
	binary.BigEndian.PutUint32(b.buf, uint32(len(b.buf)-4))
	b.rows = b.rows[:0]
	return b.emit(b.buf)
}

// Digest returns the SHA-256 of the rows: equal for equal states at equal indexes (P8).
func Digest(f *fsm.Frozen) ([sha256.Size]byte, error) {
	h := sha256.New()
	var d [sha256.Size]byte
	err := WriteRows(h, f)
	h.Sum(d[:0])
	return d, err
}

// WriteRows writes what Digest is the hash of.
func WriteRows(w io.Writer, f *fsm.Frozen) error {
	return encodeRows(f, func(head, body []byte) error {
		if _, err := w.Write(head); err != nil {
			return err
		}
		_, err := w.Write(body)
		return err
	})
}

// encodeRows yields kind and length, and the CBOR body, of every row. Both are valid until
// the next call.
func encodeRows(f *fsm.Frozen, yield func(head, body []byte) error) error {
	var head []byte
	return f.Encoded(func(kind fsm.RowKind, body []byte) error {
		head = binary.AppendUvarint(append(head[:0], byte(kind)), uint64(len(body)))
		return yield(head, body)
	})
}
