package move

// maxEpoch bounds the moves of a scenario: epoch 1 is where the shard starts, at group 0.
const maxEpoch = 4

// maxRequests is the number of requests, parts the number of rows, each in a part of its own.
const (
	maxRequests = 2
	parts       = 2
	maxAttempts = 4
)

// role is what a group is to the shard.
type role int8

const (
	none role = iota // has no rows
	owner
	frozen
	receiving
	ready
)

// state is everything. It is comparable, so that a map knows which were visited.
type state struct {
	dir     directory
	groups  [2]group
	streams [maxEpoch + 1]stream
	asks    [maxRequests]ask
	truth   rows // what one copy would be that never moved; its fences do not count
	fence   int8 // 0: none, 1: in the directory's log, 2: acknowledged
}

// directory is the shard's part of the log of the group that keeps the directory.
type directory struct {
	owner   int8
	last    int8 // highest epoch that was planned
	plans   [maxEpoch + 1]plan
	open    bool // the last plan is undecided
	readyAt [maxEpoch + 1]bool
}

// plan is a move, by its epoch.
type plan struct {
	from, to int8
	outcome  outcome
}

type outcome int8

const (
	undecided outcome = iota
	committed
	aborted
)

// group is a Raft group's part in it.
type group struct {
	role   role
	epoch  int8 // highest that it acted in
	got    [parts]bool
	rows   rows
	fenced bool // it has applied the fence
}

// rows are the shard's tokens: two limited ones in one tree.
type rows struct {
	uses   [parts]int8
	dead   bool // the tree was revoked
	fenced [parts]bool
}

// stream are the parts that were sent in an epoch: each before its row was fenced, after, or
// both.
type stream struct {
	sent [parts][2]bool
	rows rows
}

// ask is a request, and what became of it.
type ask struct {
	kind     kind
	issued   bool
	first    int8 // the group that the edge believed in
	attempt  int8
	results  [maxAttempts]result // what the groups remember
	answered bool
}

// kind is what a request wants.
type kind int8

const (
	nothing kind = iota
	useFirst
	useSecond
	revoke
)

type result int8

const (
	noResult result = iota
	done
	denied
	moved // "not mine": certainly not applied here, and never will be
)

// at is the group that attempt k goes to.
func (a *ask) at(k int8) int8 { return (a.first + k) % 2 }

// start is the state before anything happened.
func start(sc Scenario) state {
	fresh := rows{uses: [parts]int8{2, 1}}
	s := state{truth: fresh}
	s.groups[0] = group{role: owner, epoch: 1, rows: fresh, got: [parts]bool{true, true}}
	s.dir.last = 1
	for i, k := range sc.Requests {
		s.asks[i].kind = k
	}
	return s
}
