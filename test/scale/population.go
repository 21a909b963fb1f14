package scale

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

const (
	// start is the machine's time: no clock decides what a run does.
	start = token.Instant(1_700_000_000_000_000_000)
	ttl   = 24 * time.Hour
	// family is the number of tokens in a small tree: a top and its children.
	family = 10
	// batch is how many commands a large entry has: what 64 clients cause.
	batch = 64
	// plenty is how many uses a limited token has: more than any run takes.
	plenty = 1 << 30
)

var session = fsm.SessionID{1}

// population is a machine with n tokens of a known shape:
//
//	token 0            the root token
//	tokens 1 … n/2     the giant: one tree, ten children a node, its top a login
//	the rest           families of ten: a login at auth/ci or auth/web, of 1,000 users
//	                   each, and nine children, of which the last is a limited token
type population struct {
	machine *fsm.Machine
	index   uint64
	seq     uint64
	at      token.Instant
	rnd     *rand.Rand
	n       int
	made    int // tokens that were ever created; the next gets this number
}

func newPopulation(n int) (*population, error) {
	p := &population{machine: fsm.New(), at: start, rnd: rand.New(rand.NewPCG(uint64(n), 0x7363616c65)), n: n, made: 1}
	_, err := p.system(&fsm.OpenSession{Session: session, Node: "n1"}, &fsm.Initialize{
		ClusterID: "scale", ClusterName: "scale",
		Root:     token.Record{Hash: hashOf(0), Accessor: accessorOf(0), Type: token.Service, Policies: []string{policy.Root}, Path: "auth/token/root"},
		Policies: []policy.Policy{{Name: policy.Default}},
	})
	return p, err
}

// hashOf is the hash of token i.
func hashOf(i int) token.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, uint64(i)))
}

// accessorOf is the accessor of token i: as hard to compress as one in the field.
func accessorOf(i int) token.Accessor {
	h := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("accessor"), uint64(i)))
	return token.Accessor(base64.RawURLEncoding.EncodeToString(h[:18]))
}

// giant is the number of tokens in the giant.
func (p *population) giant() int { return p.n / 2 }

// firstTop is the top of the first family.
func (p *population) firstTop() int { return p.giant() + 1 }

// families is the number of whole families.
func (p *population) families() int { return (p.n - p.firstTop()) / family }

// web is the number of the j-th family that logged in at auth/web: every other one.
func (p *population) web(j int) int { return p.firstTop() + (2*j+1)*family }

// anyWeb picks the top of a family that no measurement kills.
func (p *population) anyWeb() int { return p.web(p.rnd.IntN(p.families() / 2)) }

// limited picks a limited token of such a family.
func (p *population) limited() int { return p.anyWeb() + family - 1 }

// parentOf returns the parent of token i, 0 if it is a login.
func (p *population) parentOf(i int) int {
	switch first := p.firstTop(); {
	case i == 1 || (i >= first && (i-first)%family == 0):
		return 0
	case i < first:
		return 1 + (i-2)/10
	default:
		return i - (i-first)%family
	}
}

// member makes the command that creates token i of the shape.
func (p *population) member(i int) fsm.Command {
	parent := p.parentOf(i)
	c := p.child(i, parent)
	place := i - p.firstTop()
	switch {
	case i == 1:
		c.Token.Path = "auth/giant/login"
	case parent == 0:
		mount := [2]string{"ci", "web"}[place/family%2]
		c.Token.Path = fmt.Sprintf("auth/%s/login/u%03d", mount, place/family/2%1000)
	case place >= 0 && place%family == family-1:
		c.Token.NumUses = plenty
	}
	return c
}

// child makes the command by which parent creates token i; 0 is a login.
func (p *population) child(i, parent int) *fsm.CreateToken {
	c := &fsm.CreateToken{Token: token.Record{
		Hash: hashOf(i), Accessor: accessorOf(i), Type: token.Service, Path: "auth/token/create", DisplayName: "token",
		Policies: []string{policy.Default}, TTL: ttl, Renewable: true,
	}}
	if parent != 0 {
		c.Caller, c.Token.Parent = p.caller(parent), hashOf(parent)
	}
	return c
}

func (p *population) caller(i int) fsm.Caller {
	return fsm.Caller{Token: hashOf(i), Epoch: p.machine.Epoch()}
}

// entry encodes commands as the next log entry of the session.
func (p *population) entry(cs ...fsm.Command) ([]byte, error) {
	g := fsm.Group{Session: session, Low: p.seq + 1}
	for _, c := range cs {
		k, body, err := fsm.EncodeCommand(c)
		if err != nil {
			return nil, err
		}
		p.seq++
		g.Items = append(g.Items, fsm.Item{Seq: p.seq, Kind: k, Body: body})
	}
	p.at += token.Instant(time.Microsecond)
	return fsm.AppendEntry(nil, fsm.Entry{At: p.at, Groups: []fsm.Group{g}}), nil
}

// apply applies an entry and returns how long that took. A refusal is an error: a
// measurement of refusals is none.
func (p *population) apply(entry []byte) (time.Duration, error) {
	p.index++
	begin := time.Now()
	rs, err := p.machine.Apply(p.index, entry)
	took := time.Since(begin)
	if err != nil {
		return took, err
	}
	for _, r := range rs {
		if err := r.Err(); err != nil || r.Stale {
			return took, fmt.Errorf("entry %d: a command was refused: stale %v, %w", p.index, r.Stale, err)
		}
	}
	return took, nil
}

// do is entry and apply.
func (p *population) do(cs ...fsm.Command) (time.Duration, error) {
	e, err := p.entry(cs...)
	if err != nil {
		return 0, err
	}
	return p.apply(e)
}

// system applies commands outside of the session, which they may open.
func (p *population) system(cs ...fsm.Command) (time.Duration, error) {
	var g fsm.Group
	for i, c := range cs {
		k, body, err := fsm.EncodeCommand(c)
		if err != nil {
			return 0, err
		}
		g.Items = append(g.Items, fsm.Item{Seq: uint64(i + 1), Kind: k, Body: body})
	}
	return p.apply(fsm.AppendEntry(nil, fsm.Entry{At: p.at, Groups: []fsm.Group{g}}))
}

// fill creates all tokens of the shape, and returns how long each entry took.
func (p *population) fill(ctx context.Context) (timing, error) {
	var t timing
	for p.made < p.n {
		if err := ctx.Err(); err != nil {
			return t, fmt.Errorf("at token %d of %d: %w", p.made, p.n, err)
		}
		var cs []fsm.Command
		for ; p.made < p.n && len(cs) < batch; p.made++ {
			cs = append(cs, p.member(p.made))
		}
		took, err := p.do(cs...)
		if err != nil {
			return t, err
		}
		t.add(took)
	}
	return t, nil
}
