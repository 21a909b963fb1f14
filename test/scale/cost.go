package scale

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/test/harness"
)

// processTime is the CPU that this process has used.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// MeasureCosts takes the constants that the model of test/scale/queue needs: what a request,
// a log entry and a command cost, in CPU and on the disk. n is the number of commands. Of
// several rounds it records what says most, since other programs may use the machine: that of
// the round that was disturbed least, but the median of what is a difference of two.
func MeasureCosts(tb testing.TB, n, rounds int, out *Recorder) error {
	var all [][]Figure
	for range rounds {
		fs, err := measureCosts(tb, n)
		if err != nil {
			return err
		}
		all = append(all, fs)
	}
	for i, f := range all[0] {
		values := make([]float64, rounds)
		for k, fs := range all {
			values[k] = fs[i].Value
		}
		slices.Sort(values)
		switch {
		case f.Unit == "/s":
			f.Value = values[rounds-1]
		case f.Unit == "" || strings.HasPrefix(f.Name, "entry cpu") || strings.HasPrefix(f.Name, "command cpu"):
			f.Value = values[rounds/2]
		default:
			f.Value = values[0]
		}
		f.Count *= rounds
		if err := out.Record(f); err != nil {
			return err
		}
	}
	return nil
}

// measureCosts is one round.
func measureCosts(tb testing.TB, n int) ([]Figure, error) {
	server, client, err := measureHTTP(tb.Context(), n)
	if err != nil {
		return nil, err
	}
	fs := []Figure{
		{Name: "http server cpu", Value: micros(server), Unit: "µs", Count: n},
		{Name: "http client cpu", Value: micros(client), Unit: "µs", Count: n},
	}
	var sync timing // a disk that others use is slow at times: look at it at several
	for _, nodes := range []int{1, 3} {
		c, err := measureEntries(tb, nodes, n)
		if err != nil {
			return nil, fmt.Errorf("%d nodes: %w", nodes, err)
		}
		if err := measureSync(tb.TempDir(), 200, &sync); err != nil {
			return nil, err
		}
		where := fmt.Sprintf(", %d nodes", nodes)
		fs = append(fs,
			Figure{Name: "entry cpu" + where, Value: micros(c.entry), Unit: "µs", Count: n},
			Figure{Name: "command cpu" + where, Value: micros(c.command), Unit: "µs", Count: n},
			Figure{Name: "lone write p50" + where, Value: micros(c.lone.quantile(0.5)), Unit: "µs", Count: len(c.lone.all)},
			Figure{Name: "lone write p99" + where, Value: micros(c.lone.quantile(0.99)), Unit: "µs", Count: len(c.lone.all)},
			Figure{Name: "round cpu" + where, Value: micros(c.round), Unit: "µs", Count: n})
		for _, b := range []load{c.few, c.many} {
			by := fmt.Sprintf(", %d clients%s", b.clients, where)
			fs = append(fs, Figure{Name: "writes" + by, Value: b.rate, Unit: "/s", Count: n}, Figure{Name: "commands an entry" + by, Value: b.commands / b.entries, Count: n})
		}
		if nodes > 1 {
			fs = append(fs, Figure{Name: "call cpu" + where, Value: micros(c.call), Unit: "µs", Count: n})
		}
	}
	return append(fs,
		Figure{Name: "disk sync p50", Value: micros(sync.quantile(0.5)), Unit: "µs", Count: len(sync.all)},
		Figure{Name: "disk sync p99", Value: micros(sync.quantile(0.99)), Unit: "µs", Count: len(sync.all)}), nil
}

// measureSync writes small records to a file that is as long as it will be, and syncs each, as
// the log does.
func measureSync(dir string, n int, t *timing) (err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return fmt.Errorf("measuring the disk: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	record := make([]byte, 4096)
	if _, err := f.Write(make([]byte, n*len(record))); err != nil {
		return fmt.Errorf("measuring the disk: %w", err)
	}
	if err := f.Sync(); err != nil {
		return fmt.Errorf("measuring the disk: %w", err)
	}
	for i := range n {
		begin := time.Now()
		_, err := f.WriteAt(record, int64(i*len(record)))
		if err := errors.Join(err, f.Sync()); err != nil {
			return fmt.Errorf("measuring the disk: %w", err)
		}
		t.add(time.Since(begin))
	}
	return nil
}

// entryCost is what one entry costs all nodes of a cluster together, and what each command in it adds.
type entryCost struct {
	entry, command time.Duration
	round          time.Duration // of a read index that the leader asks for
	call           time.Duration // of a read index that a follower asks for: one call to the leader
	lone           timing        // what a client waits for a write that is alone
	few, many      load
}

// load is one run of clients against a cluster.
type load struct {
	clients           int
	rate              float64
	entries, commands float64
	cpu               float64
	waits             timing
}

// Both keep the leader busy: an entry on an idle one costs more, since everyone has to wake up.
const fewClients, manyClients = 4, 128

// measureEntries runs a real cluster in this process under few and under many clients, who
// need far from as many entries for a command: two equations for the two costs.
func measureEntries(tb testing.TB, nodes, n int) (entryCost, error) {
	c := harness.Start(tb, harness.Options{Nodes: nodes})
	defer func() {
		for _, nd := range c.Nodes {
			nd.Kill()
		}
	}()
	idle := idleShare(500 * time.Millisecond)
	leader := c.Leader().Node
	lone, err := drive(tb.Context(), leader, 1, n/8, idle, createOn(c.Root))
	if err != nil {
		return entryCost{}, err
	}
	few, err1 := drive(tb.Context(), leader, fewClients, n, idle, createOn(c.Root))
	many, err2 := drive(tb.Context(), leader, manyClients, 2*n, idle, createOn(c.Root))
	here, err3 := drive(tb.Context(), leader, 1, n/4, idle, barrierOn)
	there := here
	var err4 error
	if nodes > 1 {
		there, err4 = drive(tb.Context(), c.Followers()[0].Node, 1, n/4, idle, barrierOn)
	}
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return entryCost{}, err
	}
	det := few.entries*many.commands - many.entries*few.commands
	if det == 0 {
		return entryCost{}, fmt.Errorf("as many commands an entry with %d clients as with %d: %w", manyClients, fewClients, errWrong)
	}
	return entryCost{
		entry:   time.Duration((few.cpu*many.commands - many.cpu*few.commands) / det),
		command: time.Duration((few.entries*many.cpu - many.entries*few.cpu) / det),
		round:   time.Duration(here.cpu / here.commands),
		call:    time.Duration(there.cpu / there.commands),
		lone:    lone.waits,
		few:     few,
		many:    many,
	}, nil
}

// idleShare is the CPU that a cluster uses which nobody asks anything, as a share of the time.
func idleShare(d time.Duration) float64 {
	before := processTime()
	<-time.After(d)
	return float64(processTime()-before) / float64(d)
}

// createOn makes what a client does that creates an orphan.
func createOn(root token.Hash) func(context.Context, *cluster.Node) error {
	return func(ctx context.Context, nd *cluster.Node) error {
		cmd, err := newOrphan(root)
		if err != nil {
			return err
		}
		r, err := nd.Propose(ctx, cmd)
		if err != nil {
			return err
		}
		return r.Err()
	}
}

// barrierOn is what a reader does.
func barrierOn(ctx context.Context, nd *cluster.Node) error { return nd.Barrier(ctx) }

// drive has clients do something n times in all, on one node.
func drive(ctx context.Context, nd *cluster.Node, clients, n int, idle float64, do func(context.Context, *cluster.Node) error) (load, error) {
	applied, cpu, begin := nd.Status().Applied, processTime(), time.Now()
	waits := make([]timing, clients)
	errs := make([]error, clients)
	var wg sync.WaitGroup
	for i := range clients {
		wg.Go(func() {
			for range n / clients {
				start := time.Now()
				if errs[i] = do(ctx, nd); errs[i] != nil {
					return
				}
				waits[i].add(time.Since(start))
			}
		})
	}
	wg.Wait()
	took := time.Since(begin)
	l := load{clients: clients, entries: float64(nd.Status().Applied - applied), commands: float64(n / clients * clients)}
	l.cpu = float64(processTime()-cpu) - idle*float64(took)
	l.rate = l.commands / took.Seconds()
	for _, w := range waits {
		for _, d := range w.all {
			l.waits.add(d)
		}
	}
	return l, errors.Join(errs...)
}

// newOrphan is the creation of an orphan by the root token.
func newOrphan(root token.Hash) (fsm.Command, error) {
	var h token.Hash
	if _, err := rand.Read(h[:]); err != nil {
		return nil, fmt.Errorf("minting a hash: %w", err)
	}
	a, err := token.NewAccessor(rand.Reader)
	if err != nil {
		return nil, err
	}
	return &fsm.CreateToken{Caller: fsm.Caller{Token: root, Epoch: 1}, Token: token.Record{
		Hash: h, Accessor: a, Type: token.Service, Path: "auth/token/create", TTL: time.Hour, Policies: []string{policy.Default},
	}}, nil
}
