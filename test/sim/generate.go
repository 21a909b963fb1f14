package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tokengrove/grove/fsm"
	book "github.com/tokengrove/grove/fsm/answer"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/role"
	"github.com/tokengrove/grove/fsm/token"
)

// generator makes commands from a seed. It looks at the model only to aim: at live
// tokens mostly, at dead, unknown and foreign ones sometimes.
type generator struct {
	r     *rand.Rand
	m     *model
	root  token.Hash
	count uint64
	// serial counts mounts.
	serial uint64
}

var paths = []string{
	"auth/token/create", "auth/token/create-orphan", "auth/token/create/ci",
	"auth/ci/login/alice", "auth/ci/login/bob", "auth/cix/login", "auth/k8s/login",
}

var prefixes = []string{"auth/ci/", "auth/ci", "auth/k8s/", "auth/token/create/", "auth/none/", "auth/cix/login", ""}

var policyNames = []string{"a", "b", "c", "default"}

func newGenerator(seed uint64, m *model) *generator {
	return &generator{r: rand.New(rand.NewPCG(seed, 0x67726f7665)), m: m, root: hashOf(0)}
}

// hashOf makes the n-th hash of the simulation.
func hashOf(n uint64) token.Hash {
	return sha256.Sum256(binary.BigEndian.AppendUint64(nil, n))
}

func accessorOf(n uint64) token.Accessor { return token.Accessor(fmt.Sprintf("%024d", n)) }

func (g *generator) initialize() fsm.Command {
	return &fsm.Initialize{
		ClusterID: "sim", ClusterName: "sim",
		Root: token.Record{
			Hash: g.root, Accessor: accessorOf(0), Type: token.Service,
			Policies: []string{policy.Root}, Path: "auth/token/root", DisplayName: "root",
		},
		Policies: []policy.Policy{{Name: policy.Default, Text: "default"}},
	}
}

// target picks a token: mostly one of the recent ones, dead or alive.
func (g *generator) target() token.Hash {
	if g.count == 0 || g.r.IntN(40) == 0 {
		return hashOf(1 << 40)
	}
	back := min(g.count, uint64(1+g.r.IntN(60)))
	return hashOf(g.count - back + 1)
}

// caller picks who asks: the root token half of the time, with a stale epoch sometimes.
func (g *generator) caller() fsm.Caller {
	c := fsm.Caller{Token: g.root, Epoch: g.m.epoch}
	if g.r.IntN(2) == 0 {
		c.Token = g.target()
	}
	if g.r.IntN(25) == 0 {
		c.Epoch -= min(c.Epoch, uint64(1+g.r.IntN(10)))
	}
	return c
}

func (g *generator) targetRef() fsm.Target {
	t := fsm.Target{Token: g.target()}
	if n := g.m.tokens[t.Token]; n != nil && g.r.IntN(3) == 0 {
		return fsm.Target{Accessor: n.rec.Accessor}
	}
	return t
}

// command is sometimes one under a key, of which a few are used again and again.
func (g *generator) command() fsm.Command {
	c := g.plain()
	if g.r.IntN(5) != 0 {
		return c
	}
	k := byte(g.r.IntN(4))
	request := book.Digest{k}
	if g.r.IntN(6) == 0 {
		request[1] = 1 // another request under the same key
	}
	o, err := fsm.NewOnce(book.Key{k}, request, []byte{k}, c)
	if err != nil {
		return c // nobody asks
	}
	return o
}

func (g *generator) plain() fsm.Command {
	switch n := g.r.IntN(100); {
	case n < 29:
		return g.create()
	case n < 33:
		return g.sealingCommand()
	case n < 39:
		return g.leaseCommand()
	case n < 45:
		return g.cubbyholeCommand()
	case n < 52:
		return g.engineCommand()
	case n < 62:
		return &fsm.UseToken{Caller: g.caller(), AnyEpoch: g.r.IntN(4) == 0}
	case n < 74:
		return &fsm.RenewToken{
			Caller: g.caller(), Target: g.targetRef(), Increment: g.seconds(0, 90),
			DefaultTTL: 40 * time.Second, MaxTTL: 100 * time.Second,
		}
	case n < 81:
		return &fsm.RevokeToken{Caller: g.caller(), Target: g.targetRef()}
	case n < 86:
		return &fsm.RevokeOrphan{Caller: g.caller(), Target: g.targetRef()}
	case n < 88:
		return &fsm.RevokePrefix{Caller: g.caller(), Prefix: prefixes[g.r.IntN(len(prefixes))]}
	case n < 93:
		return &fsm.ExpireTokens{Limit: uint32(g.r.IntN(5))}
	case n < 94:
		return &fsm.Tick{}
	}
	return g.administer()
}

func (g *generator) administer() fsm.Command {
	name := []string{"a", "b", "root", "default"}[g.r.IntN(4)]
	switch g.r.IntN(6) {
	case 5:
		return g.auditCommand()
	case 0:
		return &fsm.PutPolicy{Caller: g.caller(), Policy: policy.Policy{Name: name, Text: fmt.Sprint(g.r.IntN(100))}}
	case 1:
		return &fsm.DeletePolicy{Caller: g.caller(), Name: name}
	case 2:
		return &fsm.PutRole{Caller: g.caller(), Role: role.Role{Name: name, Orphan: g.r.IntN(2) == 0}}
	case 3:
		return &fsm.DeleteRole{Caller: g.caller(), Name: name}
	}
	return g.initialize()
}

func (g *generator) seconds(lo, hi int) time.Duration {
	return time.Duration(lo+g.r.IntN(hi-lo)) * time.Second
}

func (g *generator) create() fsm.Command {
	n := g.count + 1
	if g.r.IntN(20) == 0 && g.count > 0 {
		n = uint64(1 + g.r.IntN(int(g.count))) // a hash that was used before
	} else {
		g.count = n
	}
	c := &fsm.CreateToken{Caller: g.caller(), Elevated: g.r.IntN(4) == 0}
	c.Token = token.Record{
		Hash: hashOf(n), Accessor: accessorOf(n), Type: token.Service, Path: paths[g.r.IntN(len(paths))],
		DisplayName: "token", TTL: g.seconds(1, 60), Renewable: g.r.IntN(4) != 0, Policies: g.policies(),
	}
	if g.r.IntN(8) != 0 {
		c.Token.Parent = c.Caller.Token
	}
	if g.r.IntN(30) == 0 {
		c.Caller = fsm.Caller{} // a login
	}
	g.decorate(&c.Token)
	return c
}

func (g *generator) policies() []string {
	var ps []string
	for _, p := range policyNames {
		if g.r.IntN(2) == 0 {
			ps = append(ps, p)
		}
	}
	if g.r.IntN(3) == 0 {
		ps = append(ps, policy.Root)
		slices.Sort(ps)
	}
	return ps
}

// decorate sets what most tokens do not have.
func (g *generator) decorate(rec *token.Record) {
	if g.r.IntN(4) == 0 {
		rec.NumUses = uint32(1 + g.r.IntN(4))
	}
	if g.r.IntN(6) == 0 {
		rec.Period = g.seconds(1, 120)
	}
	if g.r.IntN(6) == 0 {
		rec.ExplicitMax = g.seconds(1, 90)
	}
	if g.r.IntN(5) == 0 {
		rec.Meta = map[string]string{"n": fmt.Sprint(g.r.IntN(3)), "k": "v"}
	}
	if g.r.IntN(9) == 0 {
		rec.BoundCIDRs = []string{"127.0.0.0/8"}
	}
	if rec.HasPolicy(policy.Root) && g.r.IntN(3) == 0 {
		rec.TTL = 0
	}
}
