package cluster_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/snapshot"
	"github.com/tokengrove/grove/test/harness"
)

// scheduled is a cluster with one configuration of automatic snapshots.
type scheduled struct {
	*testing.T
	c *harness.Cluster
}

func (s *scheduled) put(to fsm.Schedule) {
	s.Helper()
	to.Name, to.Interval, to.Retain, to.FilePrefix = "often", time.Second, 2, "grove"
	if r, err := s.c.Nodes[0].Propose(ctx, &fsm.PutSchedule{Caller: fsm.Caller{Token: s.c.Root, Epoch: 1}, Schedule: to}); err != nil || r.Err() != nil {
		s.Fatalf("%+v, %v", r, err)
	}
}

func (s *scheduled) status() (found fsm.Schedule) {
	s.c.Nodes[0].View(func(m *fsm.Machine) { found, _ = m.Schedule("often") })
	return found
}

// another waits for two more snapshots: the second begins after this call.
func (s *scheduled) another() fsm.SnapshotRun {
	s.Helper()
	for range 2 {
		last := s.status().Good.Index
		harness.Await(s, "one more snapshot", func() bool { return s.status().Good.Index > last })
	}
	return s.status().Good
}

func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}

// TestAutomaticSnapshots: the leader takes them, they can be restored, the next leader goes on, and it keeps as many as
// it must and touches no other file.
func TestAutomaticSnapshots(t *testing.T) {
	t.Parallel()
	s := &scheduled{t, harness.Start(t, harness.Options{Nodes: 3})}
	dir := filepath.Join(t.TempDir(), "new [folder]")
	s.put(fsm.Schedule{PathPrefix: dir})
	first := s.another()
	others := []string{
		"notes", "grove.snap", "grove-20200101T000000.000000000Z-1.snap", "copy-" + filepath.Base(first.File),
		strings.TrimSuffix(filepath.Base(first.File), ".snap") + "-copy.snap",
		"grove-20200101T000000.000000000Z-1-000000000000.snap", ".000000000000-1.tmp", // another configuration's
	}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.c.Leader().StepDown(ctx); err != nil {
		t.Fatal(err)
	}
	harness.Await(t, "the next leader takes one", func() bool { return s.status().Good.Node != first.Node })
	s.another()
	harness.Await(t, "the first file goes", func() bool { _, err := os.Stat(first.File); return errors.Is(err, fs.ErrNotExist) })
	all := names(t, dir)
	if own := len(all) - len(others); own < 1 || own > 4 { // two, one that is about to be removed, one that is written
		t.Errorf("%q, want two besides %q", all, others)
	}
	for _, name := range others {
		if !slices.Contains(all, name) {
			t.Errorf("%q is gone", name)
		}
	}
	checkSaved(t, s.another().File)
}

// checkSaved restores a file, and looks who can read it.
func checkSaved(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := snapshot.Read(f); err != nil {
		t.Errorf("the file: %v", err)
	}
	for what, want := range map[string]fs.FileMode{file: 0o600, filepath.Dir(file): 0o700} {
		if st, err := os.Stat(what); err != nil || st.Mode().Perm() != want {
			t.Errorf("%s: %v, %v, want mode %o", what, st, err, want)
		}
	}
}

// TestAutomaticSnapshotsFail: what fails is said and counted, leaves nothing behind, and is tried until it succeeds.
func TestAutomaticSnapshotsFail(t *testing.T) {
	t.Parallel()
	s := &scheduled{t, harness.Start(t, harness.Options{Nodes: 1})}
	blocked, dir := filepath.Join(t.TempDir(), "file"), t.TempDir()
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.put(fsm.Schedule{PathPrefix: blocked})
	harness.Await(t, "a failure is visible, and counted", func() bool {
		now := s.status()
		return now.Failures >= 2 && strings.Contains(now.Last.Error, "not a directory")
	})
	s.put(fsm.Schedule{PathPrefix: dir, MaxSpace: 10})
	harness.Await(t, "no room", func() bool { return strings.Contains(s.status().Last.Error, "local_max_space is too small") })
	if now := s.status(); now.Good.Index != 0 || now.Last.File != "" {
		t.Errorf("%+v: none has succeeded", now)
	}
	s.put(fsm.Schedule{PathPrefix: dir})
	harness.Await(t, "it works again", func() bool { now := s.status(); return now.Failures == 0 && now.Good.Index > 0 })
	if now := s.status(); now.Last.Error != "" || !slices.Contains(names(t, dir), filepath.Base(now.Good.File)) {
		t.Errorf("%+v", now)
	}
}
