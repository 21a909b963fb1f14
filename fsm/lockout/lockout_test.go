package lockout

import (
	"fmt"
	"testing"
	"time"
)

var rule = Rule{Threshold: 2, Duration: time.Minute, Reset: time.Minute}

// TestTableIsBounded: the ones who failed last are remembered.
func TestTableIsBounded(t *testing.T) {
	t.Parallel()
	tab := New()
	for i := range MaxUsers + 10 {
		tab.Fail(User{"m", fmt.Sprint(i)}, rule, 5)
	}
	if tab.Len() != MaxUsers || tab.All()[0].User.Alias != "10" {
		t.Errorf("%d users, the oldest is %v", tab.Len(), tab.All()[0])
	}
}

func TestTableRestores(t *testing.T) {
	t.Parallel()
	tab := New()
	tab.Fail(User{"m", "a"}, rule, 5)
	tab.Fail(User{"n", "b"}, rule, 6)
	tab.Fail(User{"m", "a"}, rule, 7)
	all := tab.All()
	if len(all) != 2 || all[0].User.Alias != "b" || all[1].Count != 2 {
		t.Fatalf("all are %+v", all)
	}
	again := New()
	for _, f := range all {
		if !again.Restore(f) {
			t.Errorf("%+v was refused", f)
		}
	}
	if again.Restore(all[0]) || again.Restore(Failures{User: User{"x", "y"}, Count: 1, Last: 3}) || again.Restore(Failures{User: User{"x", "y"}, Last: 9}) {
		t.Error("a row twice, one out of order or one without failures was taken")
	}
	if !again.Locked(User{"m", "a"}, rule, 8) || again.Locked(User{"n", "b"}, rule, 8) || again.Locked(User{"m", "a"}, rule, 7+6e10) {
		t.Error("who is locked out is not who it was")
	}
	if got := again.LockedAt("m", rule, 8); len(got) != 1 || got[0] != "a" {
		t.Errorf("locked at m: %v", got)
	}
	again.ClearMount("m")
	if again.Len() != 1 || again.Clear(User{"m", "a"}) {
		t.Error("the failures of a mount are still there")
	}
}
