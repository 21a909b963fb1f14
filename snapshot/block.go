package snapshot

import (
	"encoding/binary"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/forest"
)

// block is a decoded block: its rows, up to the first that is damaged, and what is wrong there.
type block struct {
	rows []row
	err  error
}

// row is one row of a block.
type row struct {
	kind  fsm.RowKind
	body  string
	token *forest.TokenRow // decoded, if the row is one of a token
}

// decoded decompresses a block and decodes its rows. They share the memory of one text.
func decoded(z *zstd.Decoder, compressed []byte) block {
	plain, err := z.DecodeAll(compressed, make([]byte, 0, blockSize+blockSize/8))
	if err != nil {
		return block{err: fmt.Errorf("%w: block: %w", ErrCorrupt, err)}
	}
	return parse(plain)
}

// parse splits a decompressed block into its rows, and decodes those of tokens.
func parse(plain []byte) block {
	b := split(plain)
	tokens := make([]forest.TokenRow, 0, len(b.rows))
	for i := range b.rows {
		r := &b.rows[i]
		if r.kind != fsm.RowToken {
			continue
		}
		tokens = append(tokens, forest.TokenRow{})
		r.token = &tokens[len(tokens)-1]
		if err := fsm.DecodeTokenRow(r.body, r.token); err != nil {
			return block{rows: b.rows[:i], err: fmt.Errorf("%w: %w", ErrCorrupt, err)}
		}
	}
	return b
}

// split finds the rows of a decompressed block.
func split(plain []byte) block {
	var b block
	text := string(plain)
	for at := 0; at < len(plain); {
		size, n := binary.Uvarint(plain[at+1:])
		if n <= 0 || size > uint64(len(plain)-at-1-n) {
			b.err = fmt.Errorf("%w: row longer than its block", ErrCorrupt)
			return b
		}
		end := at + 1 + n + int(size)
		b.rows = append(b.rows, row{kind: fsm.RowKind(plain[at]), body: text[at+1+n : end]})
		at = end
	}
	return b
}
