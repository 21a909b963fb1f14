// Package snapshot turns the state of a Machine into bytes and back.
//
// Contract: what Write wrote, Read restores, or Read fails: a truncated, flipped or padded
// file never restores. Equal states give equal bytes. An unknown version (ErrVersion)
// and damage (ErrCorrupt) are different errors, and neither stands for an error of the
// reader. Both directions stream: memory is the state's own and one block, and a few blocks
// while it is read.
//
// The layout of version 1:
//
//	magic    "GROVESNP"              8 bytes
//	version  u16 big-endian          2 bytes
//	block*   length u32 big-endian (not 0) | zstd frame, which decompresses to whole rows:
//	           row*  kind u8 | length uvarint | CBOR body
//	end      length u32 = 0 | rows u64 big-endian | SHA-256 of every byte of the file before it
//
// The rows are those of fsm.Frozen.Rows, in its canonical order. The SHA-256 covers the
// compressed bytes: a zstd frame has bits that its own checksum does not.
package snapshot
