package snapshot

import (
	"bytes"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

// populated is a machine with n tokens below one.
func populated(b *testing.B, n int) *fsm.Machine {
	b.Helper()
	s := sample(b, 12)
	const parent = 8                      // unlimited
	random := rand.NewChaCha8([32]byte{}) // hashes and accessors do not compress
	for i := 0; i < n; {
		var cs []fsm.Command
		for ; i < n && len(cs) < 256; i++ {
			c := child(4, token.Hash{2, parent}, s.machine.Epoch()).(*fsm.CreateToken)
			random.Read(c.Token.Hash[:]) // never fails
			var err error
			if c.Token.Accessor, err = token.NewAccessor(random); err != nil {
				b.Fatal(err)
			}
			cs = append(cs, c)
		}
		s.apply(fsm.Group{}, cs...)
	}
	return s.machine
}

const benchTokens = 100_000

// BenchmarkWrite is what a snapshot of 100,000 tokens costs, and how many bytes a token takes.
func BenchmarkWrite(b *testing.B) {
	m := populated(b, benchTokens)
	size := len(written(b, m))
	b.ReportAllocs()
	for b.Loop() {
		if err := Write(io.Discard, m.Freeze()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchTokens), "ns/token")
	b.ReportMetric(float64(size)/benchTokens, "B/token")
}

// BenchmarkRead is what restoring it costs, with every check.
func BenchmarkRead(b *testing.B) {
	file := written(b, populated(b, benchTokens))
	b.SetBytes(int64(len(file)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(bytes.NewReader(file)); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*benchTokens), "ns/token")
}
