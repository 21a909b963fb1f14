package fsm

import (
	"fmt"
	"testing"

	"github.com/tokengrove/grove/fsm/audit"
)

func TestAuditDevices(t *testing.T) {
	b := newBench(t)
	enable := func(path string) *EnableAudit {
		return &EnableAudit{Caller: b.as(b.root), Device: audit.Device{Path: path, Type: "file", Options: map[string]string{"file_path": "discard"}}}
	}
	before := b.m.Audit()
	old := b.as(b.root)
	b.ok(enable("b/c/"))
	if b.m.Audit() == before {
		t.Error("the table has changed and is the same pointer: no node would open the device")
	}
	if len(before.Devices) != 0 {
		t.Error("a table that somebody holds was changed")
	}
	if r := b.do(&UseToken{Caller: old}); !r.Stale {
		t.Errorf("a request that was evaluated before the device was there: %+v, want stale", r)
	}
	for _, path := range []string{"b/c/", "b/", "b/c/d/"} {
		b.refused(Invalid, "path already in use: invalid configuration", enable(path))
	}
	for _, path := range []string{"", "/", "a"} {
		b.refused(Invalid, "ends in a slash", enable(path))
	}
	b.refused(Invalid, "needs a type", &EnableAudit{Caller: b.as(b.root), Device: audit.Device{Path: "q/"}})
	b.ok(enable("a/"))
	if d := b.m.Audit().Devices; len(d) != 2 || d[0].Path != "a/" {
		t.Errorf("devices %+v, want a/ and b/c/ in that order", d)
	}
	if r := b.ok(&DisableAudit{Caller: b.as(b.root), Path: "b/c/"}); r.Count != 1 {
		t.Errorf("disabled %d", r.Count)
	}
	epoch := b.m.Epoch()
	if r := b.ok(&DisableAudit{Caller: b.as(b.root), Path: "b/c/"}); r.Count != 0 || b.m.Epoch() != epoch {
		t.Errorf("disabled again: %d, epoch %d, want none and %d", r.Count, b.m.Epoch(), epoch)
	}
	for n := len(b.m.Audit().Devices); n < audit.MaxDevices; n++ {
		b.ok(enable(fmt.Sprintf("n%d/", n)))
	}
	b.refused(Invalid, "at most", enable("more/"))
}

func TestAuditHeaders(t *testing.T) {
	b := newBench(t)
	put := func(name string, hmac bool) *PutAuditHeader {
		return &PutAuditHeader{Caller: b.as(b.root), Header: audit.Header{Name: name, HMAC: hmac}}
	}
	b.ok(put("x-b", true))
	b.ok(put("x-a", false))
	b.ok(put("x-b", false))
	b.refused(Invalid, "lower case", put("X-B", false))
	b.refused(Invalid, "lower case", put("", false))
	if hs := b.m.Audit().Headers; len(hs) != 2 || hs[0].Name != "x-a" || hs[1].HMAC {
		t.Errorf("headers %+v", hs)
	}
	b.ok(&DeleteAuditHeader{Caller: b.as(b.root), Name: "x-a"})
	if hs := b.m.Audit().Headers; len(hs) != 1 || hs[0].Name != "x-b" {
		t.Errorf("headers %+v", hs)
	}
}
