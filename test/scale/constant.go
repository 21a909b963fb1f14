package scale

import (
	"fmt"
	"time"

	"github.com/tokengrove/grove/test/scale/queue"
)

// million is the size of which the model takes the machine's costs.
const million = 1_000_000

// Constants makes the model's costs of measured figures: of those without a size, and of
// those at a million tokens. What this package does not measure stays as it is in assumed.
func Constants(costs, growth Figures, assumed queue.Costs) (queue.Costs, error) {
	v := values{}
	cost := func(name string) time.Duration { return v.of(costs, name, 0) }
	c := assumed
	c.Server, c.Client = cost("http server cpu"), cost("http client cpu")
	c.Entry = cost("entry cpu, 1 nodes")
	c.Follower = (cost("entry cpu, 3 nodes") - c.Entry) / 2
	c.Forward, c.Sync = cost("call cpu, 3 nodes"), cost("disk sync p50")
	c.Round = cost("round cpu, 3 nodes")
	if rate := v.number(growth, "create apply", million); rate > 0 {
		c.Apply = time.Duration(float64(time.Second) / rate)
	}
	c.Command = cost("command cpu, 1 nodes") - c.Apply
	c.Row = (v.of(growth, "write", million) + v.of(growth, "restore", million)) / million / 2
	return c, v.missing
}

// values looks figures up and remembers the first that is not there.
type values struct{ missing error }

func (v *values) number(fs Figures, name string, tokens int) float64 {
	f, ok := fs.Of(name, tokens)
	if !ok && v.missing == nil {
		v.missing = fmt.Errorf("figure %q at %d tokens is not in the file", name, tokens)
	}
	return f.Value
}

func (v *values) of(fs Figures, name string, tokens int) time.Duration {
	unit := time.Microsecond
	if f, _ := fs.Of(name, tokens); f.Unit == "ms" {
		unit = time.Millisecond
	}
	return time.Duration(v.number(fs, name, tokens) * float64(unit))
}
