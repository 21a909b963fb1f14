package fsm

import (
	"testing"
	"time"
)

func to[T any](v T) *T { return &v }

func TestPutAutopilot(t *testing.T) {
	b := newBench(t)
	if got := b.m.Autopilot(); got != DefaultAutopilot() {
		t.Errorf("nobody has set anything: %+v", got)
	}
	b.refused(Invalid, "min_quorum must be set", &PutAutopilot{Caller: b.as(b.root), CleanupDeadServers: to(true)})
	b.refused(Invalid, "at least be 3", &PutAutopilot{Caller: b.as(b.root), CleanupDeadServers: to(true), MinQuorum: to(uint64(2))})
	b.refused(Invalid, "more than nothing", &PutAutopilot{Caller: b.as(b.root), LastContactThreshold: to(time.Duration(0))})
	b.refused(Invalid, "more than nothing", &PutAutopilot{Caller: b.as(b.root), DeadServerLastContactThreshold: to(-time.Second)})
	b.refused(Invalid, "negative", &PutAutopilot{Caller: b.as(b.root), ServerStabilizationTime: to(-time.Second)})
	if got := b.m.Autopilot(); got != DefaultAutopilot() {
		t.Errorf("a refusal changed something: %+v", got)
	}
	b.ok(&PutAutopilot{Caller: b.as(b.root), CleanupDeadServers: to(true), MinQuorum: to(uint64(3))})
	b.ok(&PutAutopilot{Caller: b.as(b.root), MaxTrailingLogs: to(uint64(7)), ServerStabilizationTime: to(time.Duration(0))})
	want := DefaultAutopilot()
	want.CleanupDeadServers, want.MinQuorum, want.MaxTrailingLogs, want.ServerStabilizationTime = true, 3, 7, 0
	if got := b.m.Autopilot(); got != want {
		t.Errorf("got %+v, want %+v: what is not given stays", got, want)
	}
	b.refused(Invalid, "min_quorum must be set", &PutAutopilot{Caller: b.as(b.root), MinQuorum: to(uint64(0))})
}

func TestAdmitNode(t *testing.T) {
	b := newBench(t)
	admit := func(node, birth string) *AdmitNode { return &AdmitNode{Node: Birth{Node: node, Birth: birth}} }
	b.refused(Invalid, "needs a node", admit("", "1"))
	b.refused(Invalid, "needs a node", admit("n1", ""))
	b.ok(admit("n2", "1"))
	b.ok(admit("n1", "1"))
	b.ok(admit("n1", "2"))
	if got := b.m.Births(); len(got) != 2 || got[0] != (Birth{"n1", "2"}) || b.m.Birth("n2") != "1" || b.m.Birth("n3") != "" {
		t.Errorf("births: %+v", got)
	}
	b.ok(&AnnounceMember{Member: Member{ID: "n1"}, Removed: true})
	if got := b.m.Birth("n1"); got != "" {
		t.Errorf("a removed node has the birth %q", got)
	}
}
