//go:build !chaos

package main

import (
	"time"

	"github.com/hashicorp/go-hclog"
)

// clock is the wall clock of a node: the machine's, in every build but one for chaos tests.
func clock(*environment, hclog.Logger) func() time.Time { return nil }
