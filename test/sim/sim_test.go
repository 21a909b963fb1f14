package sim

import (
	"flag"
	"testing"
)

var (
	seed  = flag.Uint64("sim.seed", 0, "run this seed only (0: seeds 1 to -sim.runs)")
	steps = flag.Int("sim.steps", 500, "log entries of one run")
	runs  = flag.Int("sim.runs", 0, "seeds to run (0: 100, and 5 under the race detector)")
)

// TestSim needs 100,000 commands or more: 100 seeds of 500 entries of 1 to 4 commands.
func TestSim(t *testing.T) {
	if *runs == 0 {
		*runs = 100
		if underRace {
			*runs = 5
		}
	}
	if *seed != 0 {
		if _, err := Run(*seed, *steps); err != nil {
			t.Fatal(err)
		}
		return
	}
	total := make(chan int, *runs)
	t.Run("seeds", func(t *testing.T) {
		for i := range *runs {
			t.Run("", func(t *testing.T) {
				t.Parallel()
				n, err := Run(uint64(i+1), *steps)
				if err != nil {
					t.Error(err)
				}
				total <- n
			})
		}
	})
	close(total)
	sum := 0
	for n := range total {
		sum += n
	}
	t.Logf("%d commands in %d runs", sum, *runs)
	if *steps**runs >= 41_000 && sum < 100_000 {
		t.Errorf("%d commands, want 100000 or more", sum)
	}
}
