package main

import (
	"io"
	"time"

	"github.com/tokengrove/grove/engine/audit"
	"github.com/tokengrove/grove/fsm"
	table "github.com/tokengrove/grove/fsm/audit"
)

// auditPause is how long a device that another node has enabled may stay closed here while no
// request asks for it: a request has it opened at once.
const auditPause = time.Second

// newTrail makes the audit devices of a node, none yet. What they fail at goes to the log.
func (in *instance) newTrail(stdout io.Writer) *audit.Trail {
	return audit.New(audit.Config{Stdout: stdout, Report: func(path string, err error) {
		if err != nil {
			in.log.Error("an audit device FAILS", "device", path, "error", err)
			return
		}
		in.log.Info("the audit device works", "device", path)
	}})
}

// follow keeps the devices those of the replicated table, until the node stops.
func (in *instance) follow() {
	t := time.NewTicker(auditPause)
	defer t.Stop()
	for {
		in.trail.Sync(in.auditTable)
		select {
		case <-t.C:
		case <-in.done:
			return
		}
	}
}

func (in *instance) auditTable() (t *table.Table) {
	in.node.View(func(m *fsm.Machine) { t = m.Audit() })
	return t
}
