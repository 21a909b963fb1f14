//go:build chaos

package main

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// offsetVariable names a file that holds a duration, as in "-15s": how far the clock of this node
// is off. No file, or an empty one, is none. Only binaries built with -tags chaos look at it.
const offsetVariable = "GROVE_TEST_CLOCK_OFFSET_FILE"

// offsetPause is how long an offset is believed before the file is read again.
const offsetPause = 200 * time.Millisecond

// clock is the wall clock of a node for chaos tests: the machine's, shifted by what the file says.
func clock(env *environment, log hclog.Logger) func() time.Time {
	file := env.getenv(offsetVariable)
	if file == "" {
		return nil
	}
	log.Warn("this binary is built for tests: its clock can be shifted", "file", file)
	return (&shiftedClock{file: file, log: log}).now
}

// shiftedClock is a clock that jumps.
type shiftedClock struct {
	file string
	log  hclog.Logger

	mu     sync.Mutex // guards the rest
	offset time.Duration
	read   time.Time
}

// now has no monotonic reading, so that differences jump with it, as those of a wall clock do.
func (c *shiftedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if now.Sub(c.read) >= offsetPause {
		c.read = now
		c.load()
	}
	return now.Add(c.offset).Round(0)
}

func (c *shiftedClock) load() {
	b, err := os.ReadFile(c.file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.log.Error("the clock's offset stays", "file", c.file, "error", err)
		return
	}
	var d time.Duration
	if text := strings.TrimSpace(string(b)); text != "" {
		if d, err = time.ParseDuration(text); err != nil {
			c.log.Error("the clock's offset stays: want a duration such as -15s", "file", c.file, "error", err)
			return
		}
	}
	if d != c.offset {
		c.log.Warn("the clock jumps", "from", c.offset, "to", d)
		c.offset = d
	}
}
