package fsm

import (
	"reflect"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

func TestJoinTokens(t *testing.T) {
	b := newBench(t)
	root := b.as(b.root)
	put := func(n byte, ttl time.Duration) *PutJoinToken {
		return &PutJoinToken{Caller: root, Hash: JoinHash{n}, TTL: ttl}
	}
	use := func(n, node byte) *UseJoinToken { return &UseJoinToken{Hash: JoinHash{n}, Node: NodeKey{node}} }
	b.ok(put(1, time.Minute))
	b.ok(put(2, time.Hour))
	b.refused(Invalid, "there already", put(1, time.Minute))
	b.refused(Invalid, "needs a hash", put(0, time.Minute))
	b.refused(Invalid, "at most 24h", put(3, MaxJoinTTL+1))
	b.refused(Invalid, "more than nothing", put(3, 0))
	b.refused(Forbidden, "permission denied", &PutJoinToken{Caller: Caller{Token: token.Hash{7}}, Hash: JoinHash{3}, TTL: 1})
	b.refused(Forbidden, "unknown", use(3, 1))
	b.refused(Invalid, "key of a node", use(1, 0))
	b.ok(use(1, 1))
	b.ok(use(1, 1)) // the answer was lost
	b.refused(Forbidden, "used already", use(1, 2))
	if got, ok := b.m.JoinToken(JoinHash{1}, b.at); !ok || got.UsedBy != (NodeKey{1}) {
		t.Errorf("the used token: %+v, %v", got, ok)
	}
	b.at = b.at.Add(time.Minute)
	b.refused(Forbidden, "its time is over", use(1, 1))
	if _, ok := b.m.JoinToken(JoinHash{1}, b.at); ok {
		t.Error("a token is there at its deadline")
	}
	if _, ok := b.m.JoinToken(JoinHash{2}, b.at.Add(time.Hour)); ok {
		t.Error("a reader whose clock is ahead sees a token past its deadline")
	}
	b.ok(put(1, time.Minute)) // what is over is forgotten
	b.ok(use(1, 2))
}

func TestJoinTokensAreBounded(t *testing.T) {
	b := newBench(t)
	for n := range maxJoinTokens {
		b.ok(&PutJoinToken{Caller: b.as(b.root), Hash: JoinHash{1, byte(n), byte(n >> 8)}, TTL: time.Minute})
	}
	one := &PutJoinToken{Caller: b.as(b.root), Hash: JoinHash{2}, TTL: time.Minute}
	b.refused(Invalid, "are open", one)
	b.at = b.at.Add(time.Minute)
	b.ok(one)
	if n := len(b.m.joining.tokens); n != 1 {
		t.Errorf("%d tokens are kept, want the open one", n)
	}
}

func TestTrust(t *testing.T) {
	b := newBench(t)
	one, two := [][]byte{[]byte("a")}, [][]byte{[]byte("a"), []byte("b")}
	put := func(version uint64, issuer uint32, as [][]byte) *PutTrust {
		return &PutTrust{Trust{Version: version, Authorities: as, Issuer: issuer}}
	}
	b.refused(Invalid, "at version 0", put(2, 0, two))
	b.refused(Invalid, "at version 0", put(0, 0, nil))
	b.refused(Invalid, "number 2 signs", put(1, 2, two))
	b.refused(Invalid, "0 authorities", put(1, 0, nil))
	b.ok(put(1, 0, two))
	b.refused(Invalid, "at version 1", put(1, 1, two)) // the other leader's step
	b.ok(put(2, 1, two))
	b.ok(put(3, 0, one))
	if got := b.m.Trust(); !reflect.DeepEqual(got, put(3, 0, one).Trust) {
		t.Errorf("trust %+v", got)
	}
}
