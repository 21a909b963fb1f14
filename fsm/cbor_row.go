package fsm

import (
	"fmt"
	"math"

	"github.com/tokengrove/grove/fsm/forest"
)

// Of all rows of a snapshot only tokens come in millions, so only they are coded without
// reflection, byte for byte as the library does it: FuzzTokenRow holds both together.

// appendTokenRow appends the CBOR body of row to dst.
func appendTokenRow(dst []byte, row *forest.TokenRow) ([]byte, error) {
	w := writeFields(dst)
	w.key(1)
	w.b = appendHead(w.b, majorUint, row.Seq)
	w.record(2, &row.Record)
	w.key(3)
	w.b = appendHead(w.b, majorUint, uint64(row.State))
	w.uint(4, row.Turn)
	w.uint(5, row.PathTurn)
	w.hash(6, &row.Under)
	if w.ok {
		return w.b, nil
	}
	return appendRow(dst, RowToken, *row)
}

// appendRow appends the CBOR body of any row to dst, with the library.
func appendRow(dst []byte, kind RowKind, row any) ([]byte, error) {
	b, err := encMode.Marshal(row)
	if err != nil {
		return nil, fmt.Errorf("encoding snapshot row of kind %d: %w", kind, err)
	}
	return append(dst, b...), nil
}

// DecodeTokenRow decodes the body of a row of kind RowToken into row. The texts of the row share
// the memory of body. It needs nothing of a Restorer, so that a reader can decode on several
// goroutines what Restorer.AddToken then takes in order.
func DecodeTokenRow(body string, row *forest.TokenRow) error {
	r := fieldReader{s: body, ok: true}
	*row = forest.TokenRow{}
	r.tokenRow(row)
	if r.ok && r.s == "" {
		return nil
	}
	*row = forest.TokenRow{}
	if err := decMode.Unmarshal([]byte(body), row); err != nil {
		return fmt.Errorf("snapshot row of kind %d: %w", RowToken, err)
	}
	return nil
}

func (r *fieldReader) tokenRow(row *forest.TokenRow) {
	last := uint64(0)
	for n := r.fields(); n > 0 && r.ok; n-- {
		switch r.key(&last) {
		case 1:
			row.Seq = r.head(majorUint)
		case 2:
			r.record(&row.Record)
		case 3:
			row.State = forest.State(r.uint(math.MaxUint8))
		case 4:
			row.Turn = r.head(majorUint)
		case 5:
			row.PathTurn = r.head(majorUint)
		case 6:
			r.hash(&row.Under)
		default:
			r.ok = false
		}
	}
}
