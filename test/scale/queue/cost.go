package queue

import (
	"errors"
	"time"
)

// Costs is what things cost. CPU unless it says otherwise.
type Costs struct {
	Server   time.Duration // HTTP and JSON of one request, at the node
	Client   time.Duration // … at the client; counts only when clients share the machine
	Handler  time.Duration // what Grove's edge adds: hash of the ID, ACL, bodies
	Entry    time.Duration // a log entry, at the leader, whatever is in it
	Follower time.Duration // … at each follower
	Command  time.Duration // each command in it, at its edge: encoding, queues, results
	Apply    time.Duration // … on the lane of the machine, at every replica
	Forward  time.Duration // a call from another node to the leader, there and back; half at each end
	Round    time.Duration // the leader's question to the other voters which term they are in
	Sync     time.Duration // of the log, on the disk, at leader and followers: no CPU
	Hop      time.Duration // one way through the network: no CPU
	Row      time.Duration // a token on its way to another group, at either end
}

// Measured are the constants of the machine that docs/scale.md names, as scripts/scale -costs
// took them on 2026-11-24 at commit 49c4494 (the file docs/scale-costs.jsonl; two cores, three
// nodes in one process, the log on disk, loopback), of five rounds, since other programs used
// the machine too:
//
//   - Server, Client: null server, a process of its own ("http server cpu", "http client cpu")
//   - Entry, Follower: "entry cpu" of one node; the difference to three nodes, halved
//   - Command: "command cpu" of one node, less Apply. Apply: 1 / "create apply" at a million
//   - Forward, Round: "call cpu, 3 nodes", "round cpu, 3 nodes"
//   - Sync: "disk sync p50"
//   - Row: (write + restore) / tokens at a million, a half for each end
//
// Not measured by this package: Handler is what a lookup costs more than a null request in
// README's figures of 2026-11-24 (24,883/s and 36,610/s on one node and two cores); Hop is
// an assumption, half of a usual round trip within a data centre.
var Measured = Costs{
	Server: 24 * time.Microsecond, Client: 25 * time.Microsecond, Handler: 26 * time.Microsecond,
	Entry: 110 * time.Microsecond, Follower: 155 * time.Microsecond,
	Command: 3500 * time.Nanosecond, Apply: 3250 * time.Nanosecond,
	Forward: 30 * time.Microsecond, Round: 47 * time.Microsecond,
	Sync: 98 * time.Microsecond, Hop: 100 * time.Microsecond, Row: 2140 * time.Nanosecond,
}

// Validate reports a cost that no thing has.
func (c Costs) Validate() error {
	for _, d := range []time.Duration{c.Server, c.Client, c.Handler, c.Entry, c.Follower, c.Command, c.Apply, c.Forward, c.Round, c.Sync, c.Hop, c.Row} {
		if d < 0 {
			return errors.New("a cost is negative")
		}
	}
	if c.Server+c.Handler == 0 {
		return errors.New("a request costs nothing: time would stand still")
	}
	return nil
}
