package scale

import (
	"fmt"
	"strings"
	"time"

	"github.com/tokengrove/grove/test/scale/queue"
)

// checkTable compares the simulation with what was measured in process: writes on the leader
// of one and of three nodes that share this machine, with no HTTP. It is the one table in
// which both stand, and says which is which.
func checkTable(costs Figures) (string, error) {
	var b strings.Builder
	b.WriteString("| writes, no HTTP, all on one machine | measured | simulated | simulated / measured |\n|---|---|---|---|\n")
	for _, nodes := range []int{1, 3} {
		for _, clients := range []int{1, fewClients, manyClients} {
			measured, err := measuredWrites(costs, nodes, clients)
			if err != nil {
				return "", err
			}
			r, err := queue.Run(inProcess(nodes, clients, costs.Origin.Cores))
			if err != nil {
				return "", err
			}
			fmt.Fprintf(&b, "| %d nodes, %d clients | %s/s | %s/s | %.2f |\n", nodes, clients, thousands(measured), thousands(r.Rate), r.Rate/measured)
		}
	}
	b.WriteString("\n| 32 clients over HTTP, all on one machine | measured at a2716d6 | simulated | simulated / measured |\n|---|---|---|---|\n")
	for _, m := range overHTTP {
		cfg := model(queue.Shape{Nodes: m.nodes, Cores: costs.Origin.Cores, Groups: 1, OneMachine: true}, queue.Load{Clients: 32, Writes: m.writes})
		cfg.Costs.Hop = 0
		r, err := queue.Run(cfg)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "| %s, %d nodes | %s/s | %s/s | %.2f |\n", m.what, m.nodes, thousands(m.rate), thousands(r.Rate), r.Rate/m.rate)
	}
	return b.String(), nil
}

// overHTTP are README's figures of scripts/bench as of 2026-11-24, commit a2716d6, "Grove ×1"
// and "Grove ×3, all nodes": older than the constants. The first lookup is what Costs.Handler
// was taken from.
var overHTTP = []struct {
	what         string
	nodes        int
	writes, rate float64
}{
	{"lookup", 1, 0, 24_883}, {"lookup", 3, 0, 14_889}, {"create", 1, 1, 9131}, {"create", 3, 1, 4440},
}

// measuredWrites is the rate that MeasureCosts saw.
func measuredWrites(costs Figures, nodes, clients int) (float64, error) {
	name := fmt.Sprintf("writes, %d clients, %d nodes", clients, nodes)
	if clients == 1 {
		name = fmt.Sprintf("lone write p50, %d nodes", nodes)
	}
	f, ok := costs.Of(name, 0)
	switch {
	case !ok || f.Value <= 0:
		return 0, fmt.Errorf("figure %q is not in the file", name)
	case clients == 1:
		return 1e6 / f.Value, nil
	}
	return f.Value, nil
}

// inProcess is the configuration of that measurement: no request, only its command.
func inProcess(nodes, clients, cores int) queue.Config {
	cfg := model(queue.Shape{Nodes: nodes, Cores: cores, Groups: 1, OneMachine: true}, queue.Load{Clients: clients, Writes: 1, OnLeader: true})
	cfg.Costs.Server, cfg.Costs.Client, cfg.Costs.Handler = time.Nanosecond, 0, 0
	cfg.Costs.Hop = 0 // loopback; what it costs is in the CPU of entries
	return cfg
}
