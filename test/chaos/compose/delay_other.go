//go:build !linux

package compose

import (
	"errors"
	"time"
)

// delayer delays packets; only Linux has it.
type delayer struct{}

func delay(string, time.Duration) (*delayer, error) {
	return nil, errors.New("only Linux can delay packets")
}

func (d *delayer) close() {}
