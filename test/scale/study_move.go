package scale

import (
	"fmt"
	"time"

	"github.com/tokengrove/grove/test/scale/chart"
	"github.com/tokengrove/grove/test/scale/queue"
)

// The move that docs/scale.md shows: the most popular of 1,000 trees leaves its group.
const (
	moveAt     = 400 * time.Millisecond
	moveTokens = 1_000_000
)

// moving makes the run of a move; clients is its size.
func moving(clients, requests int, live bool) queue.Config {
	cfg := model(queue.Shape{Nodes: 9, Replicas: 3, Cores: 8, Groups: 10},
		queue.Load{Clients: clients, Writes: 0.5, Skew: 1, Tokens: moveTokens, Requests: requests})
	cfg.Moves = []queue.Move{{At: moveAt, Tree: 0, To: 9, Live: live}}
	return cfg
}

// moveText says what two runs show: the tree frozen for all of its rows, and for the last ones.
func moveText(frozen, live queue.Result) string {
	if len(frozen.Pauses) != 1 || len(live.Pauses) != 1 {
		return "No tree moved.\n"
	}
	f, l := frozen.Pauses[0], live.Pauses[0]
	return fmt.Sprintf("Simulated: %s (of %s in all) leaves its group under load. Requests for it wait for %s when it is frozen for all of its rows, for %s when the rows are copied before "+
		"and it is frozen for those that were written meanwhile. None fails.\n", f.What, count(moveTokens), f.Took.Round(time.Millisecond), l.Took.Round(time.Millisecond))
}

// moveChart draws the runs.
func moveChart(frozen, live queue.Result) chart.Chart {
	c := chart.Chart{Title: "The most popular tree moves (modelled)", X: "s", Y: "requests / s of all trees"}
	for _, r := range []struct {
		name string
		queue.Result
	}{{"frozen", frozen}, {"copied before", live}} {
		l := chart.Line{Name: r.name, Modelled: true}
		all := r.Slices(slice)
		for _, s := range all[:max(len(all)-1, 0)] { // the last is cut off
			l.Points = append(l.Points, chart.Point{X: s.Start.Seconds(), Y: s.Rate})
		}
		c.Lines = append(c.Lines, l)
	}
	return c
}
