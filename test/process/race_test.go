package process

import (
	"flag"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	raceTokens = flag.Int("race.tokens", 1000, "tokens of five uses")
	raceKills  = flag.Int("race.kills", 10, "how often the leader is killed")
)

const (
	raceClients = 16
	raceUses    = 5
)

// tally counts what the clients of one token saw.
type tally struct {
	granted atomic.Int64 // 200
	cut     atomic.Int64 // the connection of a killed node broke: used or not, nobody knows
}

// TestFiveUsesThroughTenLeaders lets 16 clients on three nodes race on tokens of five uses
// while the leader is killed and restarted, again and again. Promise P1: never more than five.
// Promise P2: never fewer, but for uses whose own client was cut off. Promise P10: clients
// of surviving nodes see no error at all.
func TestFiveUsesThroughTenLeaders(t *testing.T) {
	t.Parallel()
	c := start(t, 3)
	var granted, cut int64
	for round := range *raceKills {
		tokens := c.fiveUseTokens(*raceTokens / *raceKills)
		tallies := make([]tally, len(tokens))
		killed := c.race(tokens, tallies)
		for i := range tallies {
			g, x := tallies[i].granted.Load(), tallies[i].cut.Load()
			granted, cut = granted+g, cut+x
			if g > raceUses || g+x < raceUses {
				t.Errorf("round %d token %d: %d uses granted, %d clients cut off, want %d", round, i, g, x, raceUses)
			}
		}
		if killed == nil {
			t.Fatalf("round %d: no leader was killed", round)
		}
		c.awaitVoters(3)
	}
	t.Logf("%d tokens, %d leaders killed: %d uses granted, %d requests cut off with their node", *raceTokens, *raceKills, granted, cut)
}

func (c *cluster) fiveUseTokens(n int) []string {
	c.t.Helper()
	tokens := make([]string, n)
	for i := range tokens {
		tokens[i] = c.create(c.nodes[i%len(c.nodes)], c.root, map[string]any{"policies": []string{"default"}, "ttl": "1h", "num_uses": raceUses})
	}
	return tokens
}

// race lets every client use every token until it is refused, kills the leader when a
// third of the uses are done, and restarts it.
func (c *cluster) race(tokens []string, tallies []tally) *node {
	var wg sync.WaitGroup
	var total atomic.Int64
	var victim atomic.Pointer[node]
	third := make(chan struct{})
	var once sync.Once
	for w := range raceClients {
		wg.Add(1)
		go func() {
			defer wg.Done()
			at := w
			for _, i := range rand.Perm(len(tokens)) {
				at = c.useUp(tokens[i], &tallies[i], at, &victim)
				if total.Add(1) >= int64(len(tokens)*raceClients/3) {
					once.Do(func() { close(third) })
				}
			}
		}()
	}
	<-third
	if l := c.leader(); l != nil {
		victim.Store(l)
		l.kill()
		if err := l.run(c.bin); err != nil {
			c.t.Error(err)
		}
	}
	wg.Wait()
	return victim.Load()
}

// useUp uses a token until it is refused and returns the node to go on with. Only the
// clients of the killed node may see a broken connection; they move on to the next node.
func (c *cluster) useUp(token string, ta *tally, at int, victim *atomic.Pointer[node]) int {
	for {
		nd := c.nodes[at%len(c.nodes)]
		a, err := call("GET", nd.addr+"/v1/auth/token/lookup-self", token, nil)
		switch {
		case err == nil && a.code == 200:
			ta.granted.Add(1)
		case err == nil && a.code == 403:
			return at
		case nd == victim.Load():
			if err != nil || a.code == 500 {
				ta.cut.Add(1) // 500: the node said itself that it does not know
			}
			at++
		default:
			c.t.Errorf("%s survived, but answered: %v %d %s", nd.name, err, a.code, a.raw)
			at++
		}
	}
}
