package fsm

import (
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

const (
	benchTokens = 100_000   // that are there already
	benchLimit  = 1_000_000 // above it a new machine is made
	benchChunk  = 4096      // commands that are prepared at a time
)

var (
	benchRoot    = token.Hash{0xff}
	benchSession = SessionID{1}
)

// load makes entries for a machine, as edges and leaders do: commands of one session, which has seen all
// earlier results.
type load struct {
	b      *testing.B
	m      *Machine
	index  uint64
	seq    uint64
	serial int // of the next token
}

func newLoad(b *testing.B) *load {
	b.Helper()
	l := &load{b: b, m: New()}
	open := []Command{
		&OpenSession{Session: benchSession, Node: "n1"},
		&Initialize{
			ClusterID: "c", ClusterName: "bench", Policies: []policy.Policy{{Name: policy.Default}},
			Root: token.Record{Hash: benchRoot, Accessor: "root", Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
		},
	}
	for _, c := range open {
		kind, body, err := EncodeCommand(c)
		if err != nil {
			b.Fatal(err)
		}
		l.apply(AppendEntry(nil, Entry{At: 1, Groups: []Group{{Items: []Item{{Kind: kind, Body: body}}}}}))
	}
	for l.serial < benchTokens {
		l.apply(l.entry(benchChunk, l.create))
	}
	return l
}

// entry makes an entry of n commands.
func (l *load) entry(n int, next func() Command) []byte {
	l.b.Helper()
	g := Group{Session: benchSession, Low: l.seq + 1}
	for range n {
		kind, body, err := EncodeCommand(next())
		if err != nil {
			l.b.Fatal(err)
		}
		l.seq++
		g.Items = append(g.Items, Item{Seq: l.seq, Kind: kind, Body: body})
	}
	return AppendEntry(nil, Entry{At: token.Instant(time.Hour), Groups: []Group{g}})
}

func (l *load) apply(entry []byte) {
	l.index++
	rs, err := l.m.Apply(l.index, entry)
	if err != nil {
		l.b.Fatal(err)
	}
	if r := rs[len(rs)-1]; r.Err() != nil || r.Stale {
		l.b.Fatalf("%+v", r)
	}
}

func (l *load) caller() Caller { return Caller{Token: benchRoot, Epoch: l.m.Epoch()} }

// hash is that of the token with a serial number.
func hash(serial int) (h token.Hash) {
	binary.BigEndian.PutUint64(h[:], uint64(serial)*0x9E3779B97F4A7C15) // spread, as hashes are
	binary.BigEndian.PutUint64(h[8:], uint64(serial)+1)
	return h
}

// create makes a token of many uses.
func (l *load) create() Command {
	l.serial++
	return &CreateToken{Caller: l.caller(), Token: token.Record{
		Hash: hash(l.serial), Accessor: token.Accessor(fmt.Sprintf("%024d", l.serial)), Parent: benchRoot, Type: token.Service, DisplayName: "token",
		Meta: map[string]string{"svc": "bench"}, Policies: []string{"default"}, Path: "auth/token/create", TTL: time.Hour, Renewable: true, NumUses: 1 << 30,
	}}
}

// hotCommands are those that clients send all the time. next takes the number of the command, so that they
// go round all tokens; prepare makes what a chunk needs.
var hotCommands = []struct {
	name    string
	prepare func(l *load)
	next    func(l *load, i int) Command
}{
	{"create", func(*load) {}, func(l *load, _ int) Command { return l.create() }},
	{"use", func(*load) {}, func(l *load, i int) Command {
		return &UseToken{Caller: Caller{Token: hash(1 + i*7919%benchTokens), Epoch: l.m.Epoch()}}
	}},
	{"renew", func(*load) {}, func(l *load, i int) Command {
		return &RenewToken{Caller: l.caller(), Target: Target{Token: hash(1 + i*7919%benchTokens)}, DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour}
	}},
	{"revoke", func(l *load) { l.apply(l.entry(benchChunk, l.create)) }, func(l *load, i int) Command {
		return &RevokeToken{Caller: l.caller(), Target: Target{Token: hash(l.serial - i%benchChunk)}}
	}},
}

// BenchmarkApply is what an entry costs a replica, from its bytes to its results, among 100,000 tokens.
func BenchmarkApply(b *testing.B) {
	for _, c := range hotCommands {
		for _, batch := range []int{1, 32, 256} {
			b.Run(fmt.Sprintf("%s/%d", c.name, batch), func(b *testing.B) {
				b.ReportAllocs()
				var l *load
				var ready [][]byte
				i := 0
				for b.Loop() {
					if len(ready) == 0 {
						b.StopTimer()
						if l == nil || l.serial > benchLimit {
							l = newLoad(b)
						}
						c.prepare(l)
						for range benchChunk / batch {
							ready = append(ready, l.entry(batch, func() Command { i++; return c.next(l, i-1) }))
						}
						b.StartTimer()
					}
					l.apply(ready[0])
					ready = ready[1:]
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*batch), "ns/command")
			})
		}
	}
}

// BenchmarkHotCodec is a hot command's way into the log and out of it.
func BenchmarkHotCodec(b *testing.B) {
	l := newLoad(b)
	for _, h := range hotCommands {
		c := h.next(l, 1)
		kind, body, err := EncodeCommand(c)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(h.name+"/encode", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, _, err := EncodeCommand(c); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(h.name+"/decode", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if _, err := DecodeCommand(kind, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkResults is the way of an entry's results back to the edge: of 32 creates.
func BenchmarkResults(b *testing.B) {
	l := newLoad(b)
	l.index++
	rs, err := l.m.Apply(l.index, l.entry(32, l.create))
	if err != nil {
		b.Fatal(err)
	}
	bytes, err := AppendResults(nil, rs)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(bytes)))
		for b.Loop() {
			if _, err := AppendResults(nil, rs); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(bytes)))
		for b.Loop() {
			if _, err := DecodeResults(bytes); err != nil {
				b.Fatal(err)
			}
		}
	})
}
