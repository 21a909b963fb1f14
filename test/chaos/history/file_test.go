package history

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"
)

func TestFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	w, err := Make(path, Header{Target: "process", Seed: 7, Nodes: []string{"a", "b"}, Duration: time.Second, Skew: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		w.Operation(Operation{
			Number: uint64(i), Client: 3, Node: 1, Kind: Kind(1 + i%8), Outcome: Outcome(1 + i%4), Token: 4, By: 2, Invoke: 5, Return: 9,
			Request: Request{Uses: 3, TTL: time.Hour, Path: "a/b", Orphan: true, Sent: 2},
			Answer:  Answer{Status: 200, Error: "no", Left: 2, TTL: 3, Accessor: "acc", Index: 12},
		})
	}
	w.Event(Event{Kind: "kill", Nodes: []int{1}, Cut: []int{1}, From: 1, To: 2, Detail: "leader"})
	want, err := w.Close(&Audit{At: 10, Live: [][]string{{"acc"}, {"acc"}}, Strangers: []string{"x"}, Rows: []Row{{Node: 1, Token: 4, Accessor: "acc", Left: 1, Orphan: true}}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("read back\n%+v\nwant\n%+v", got, want)
	}
}

// TestCutOff: a run that was killed leaves a file without an end.
func TestCutOff(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "history")
	w, err := Make(path, Header{Target: "process"})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 20000 {
		w.Operation(Operation{Number: uint64(i), Kind: Use, Outcome: Applied, Invoke: time.Duration(i * i)})
	}
	if _, err := w.Close(nil); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b[:len(b)*2/3], 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := Read(path)
	if err == nil || len(h.Operations) == 0 || len(h.Operations) == 20000 {
		t.Errorf("%d operations, error %v; want some of 20000, and an error", len(h.Operations), err)
	}
}
