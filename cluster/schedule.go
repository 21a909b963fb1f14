package cluster

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/snapshot"
)

const (
	// schedulePause is how often the leader looks whether an automatic snapshot is due.
	schedulePause = time.Second
	// scheduleStamp is the time in the name of a file. Names sort by it.
	scheduleStamp = "20060102T150405.000000000Z"
)

// keepSnapshots takes the automatic snapshots, one at a time, while this node leads.
func (n *Node) keepSnapshots(ctx context.Context) {
	n.keeping.Lock() // the last reign of this node may still be at its last file
	defer n.keeping.Unlock()
	for ctx.Err() == nil {
		var all []fsm.Schedule
		n.View(func(m *fsm.Machine) { all = m.Schedules() })
		for _, s := range all {
			if ctx.Err() == nil && token.InstantOf(n.cfg.Now()) >= s.Next() {
				n.takeScheduled(ctx, s)
			}
		}
		n.rest(ctx, schedulePause)
	}
}

// takeScheduled takes one, and records what became of it.
func (n *Node) takeScheduled(ctx context.Context, s fsm.Schedule) {
	run := fsm.SnapshotRun{Start: token.InstantOf(n.cfg.Now()), Node: n.self.ID}
	err := n.writeScheduled(ctx, s, &run)
	if ctx.Err() != nil {
		return // the next leader takes it
	}
	if run.End = token.InstantOf(n.cfg.Now()); err != nil {
		run.File, run.Error = "", err.Error()
		n.log.Error("an automatic snapshot failed and is tried again", "name", s.Name, "folder", s.PathPrefix, "error", err)
	} else {
		n.log.Info("took an automatic snapshot", "name", s.Name, "file", run.File, "index", run.Index)
	}
	if _, err := n.system(ctx, &fsm.NoteSnapshot{Name: s.Name, Run: run}); err != nil {
		n.log.Warn("what became of an automatic snapshot is not recorded", "name", s.Name, "error", err)
	}
}

// writeScheduled writes, verifies and names one file, and then removes those that are too many.
func (n *Node) writeScheduled(ctx context.Context, s fsm.Schedule, run *fsm.SnapshotRun) error {
	folder, err := n.scheduleFolder(s)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.PathPrefix, "."+folder.tag+"-*.tmp") // mode 0600
	if err != nil {
		return err
	}
	defer discard(f)
	image, err := n.SaveSnapshot(ctx)
	if err != nil {
		return err
	}
	run.Index = image.Index
	w := bufio.NewWriterSize(&scheduleFile{ctx: ctx, file: f, room: folder.room, used: folder.used, limited: s.MaxSpace > 0}, 1<<20)
	if err := errors.Join(image.Write(w), w.Flush(), f.Sync()); err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := snapshot.Inspect(bufio.NewReaderSize(f, 1<<20)); err != nil {
		return fmt.Errorf("what was written is not what can be read: %w", err)
	}
	run.File = filepath.Join(s.PathPrefix, fmt.Sprintf("%s-%s-%d-%s.snap", s.FilePrefix, run.Start.Time().UTC().Format(scheduleStamp), run.Index, folder.tag))
	if err := os.Rename(f.Name(), run.File); err != nil {
		return err
	}
	if err := syncDir(s.PathPrefix); err != nil { // the new one lasts before an old one goes
		return err
	}
	for _, old := range folder.tooMany {
		if err := os.Remove(old); err != nil && !errors.Is(err, os.ErrNotExist) {
			n.log.Warn("an old automatic snapshot stays", "file", old, "error", err)
		}
	}
	return nil
}

// scheduleFolder is what a configuration has in its folder before its next snapshot.
type scheduleFolder struct {
	tag     string   // marks the files of this configuration of this cluster
	tooMany []string // files that go once there is a new one
	used    uint64   // bytes of those that stay
	room    uint64   // bytes that the new one may have, if space is limited
}

// scheduleFolder makes the folder if it is not there, removes what an interrupted snapshot of this configuration has left,
// and looks which files are its own: only those are ever removed.
func (n *Node) scheduleFolder(s fsm.Schedule) (d scheduleFolder, err error) {
	if err := os.MkdirAll(s.PathPrefix, 0o700); err != nil {
		return d, err
	}
	d.tag = n.scheduleTag(s)
	entries, err := os.ReadDir(s.PathPrefix) // sorted: oldest first
	if err != nil {
		return d, err
	}
	own := regexp.MustCompile(`^` + regexp.QuoteMeta(s.FilePrefix) + `-\d{8}T\d{6}\.\d{9}Z-\d+-` + d.tag + `\.snap$`)
	left := regexp.MustCompile(`^\.` + d.tag + `-\d+\.tmp$`)
	var files []os.DirEntry
	for _, e := range entries {
		switch {
		case e.Type().IsRegular() && own.MatchString(e.Name()):
			files = append(files, e)
		case e.Type().IsRegular() && left.MatchString(e.Name()):
			os.Remove(filepath.Join(s.PathPrefix, e.Name()))
		}
	}
	stay := max(0, len(files)+1-int(s.Retain))
	for _, f := range files[:stay] {
		d.tooMany = append(d.tooMany, filepath.Join(s.PathPrefix, f.Name()))
	}
	for _, f := range files[stay:] {
		if st, err := f.Info(); err == nil {
			d.used += uint64(st.Size())
		}
	}
	d.room = s.MaxSpace - min(s.MaxSpace, d.used)
	return d, nil
}

// scheduleTag tells the files of a configuration from those of others, and of other clusters, in the same folder.
func (n *Node) scheduleTag(s fsm.Schedule) string {
	var cluster string
	n.View(func(m *fsm.Machine) { cluster = m.Identity().ClusterID })
	sum := sha256.Sum256([]byte(cluster + "\x00" + s.Name))
	return fmt.Sprintf("%x", sum[:6])
}

// scheduleFile writes no more than there is room for, and no longer than the node leads.
type scheduleFile struct {
	ctx        context.Context
	file       io.Writer
	room, used uint64
	limited    bool
}

// Write implements io.Writer.
func (f *scheduleFile) Write(b []byte) (int, error) {
	if err := f.ctx.Err(); err != nil {
		return 0, err
	}
	if f.limited && uint64(len(b)) > f.room {
		return 0, fmt.Errorf("local_max_space is too small: the snapshots that stay have %d bytes, and this one does not fit beside them", f.used)
	}
	f.room -= min(f.room, uint64(len(b)))
	return f.file.Write(b)
}

// syncDir makes names of files durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
