package cluster

import (
	"errors"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/raft-wal/fs"
	"github.com/hashicorp/raft-wal/types"

	"github.com/tokengrove/grove/cluster/pki"
)

// segmentBytes is the size of one file of the log.
const segmentBytes = 8 << 20

// roomPause is how long to wait before a full disk is tried again.
const roomPause = 200 * time.Millisecond

// spareName is the file that becomes the next segment.
const spareName = "segment.spare"

// segments is the file system below raft-wal. A segment is filled with zeros before it is
// used, and synced with fdatasync: an append then changes neither the size nor the extents of
// its file, so that a sync is one write to the disk and no commit of the file system's
// journal, which all files of the machine share. The next segment is filled in the
// background, so that no append waits for it.
type segments struct {
	*fs.FS
	dir string

	fill func(path string, size uint64) (*os.File, error)
	full atomic.Bool // a segment waits for room

	mu      sync.Mutex
	spare   *os.File // filled, waits to be used
	filling bool
	opened  bool
	closed  bool
	busy    sync.WaitGroup
}

func newSegments(dir string) (*segments, error) {
	if err := os.Remove(filepath.Join(dir, spareName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	return &segments{FS: fs.New(), dir: dir, fill: filled}, nil
}

// Create implements types.VFS.
func (s *segments) Create(dir, name string, size uint64) (types.WritableFile, error) {
	path := filepath.Join(dir, name)
	s.mu.Lock()
	f := s.spare
	s.spare = nil
	s.mu.Unlock()
	var err error
	if f != nil {
		err = os.Rename(f.Name(), path)
	} else {
		f, err = s.fill(path, size)
		for errors.Is(err, syscall.ENOSPC) && s.waits() {
			s.full.Store(true)
			time.Sleep(roomPause)
			f, err = s.fill(path, size)
		}
		s.full.Store(false)
	}
	if err != nil {
		if f != nil {
			f.Close()
		}
		return nil, err
	}
	s.prepare(size)
	return &logFile{File: f, dir: dir, fresh: true}, nil
}

// waits reports whether a segment that has no room waits for it: raft-wal gives up for good when
// the next segment cannot be made. Meanwhile writes meet their deadline. At the start nothing waits.
func (s *segments) waits() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened && !s.closed
}

// OpenWriter implements types.VFS.
func (s *segments) OpenWriter(dir, name string) (types.WritableFile, error) {
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if err != nil {
		return nil, err
	}
	return &logFile{File: f, dir: dir}, nil
}

// prepare fills the next segment in the background. Failing is no error: then the segment is
// filled when it is needed, which reports it.
func (s *segments) prepare(size uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.filling || s.spare != nil {
		return
	}
	s.filling = true
	s.busy.Go(func() {
		f, err := s.fill(filepath.Join(s.dir, spareName), size)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.filling = false
		if err == nil {
			s.spare = f
		}
	})
}

// close gives the spare segment up.
func (s *segments) close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.busy.Wait()
	if s.spare == nil {
		return nil
	}
	return errors.Join(s.spare.Close(), os.Remove(s.spare.Name()))
}

// filled makes a file of size zeros that are on the disk.
func filled(path string, size uint64) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	zeros := make([]byte, 256<<10)
	for off := uint64(0); off < size && err == nil; off += uint64(len(zeros)) {
		_, err = f.WriteAt(zeros[:min(uint64(len(zeros)), size-off)], int64(off))
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(path))
	}
	return f, nil
}

// logFile is one open file of the log.
type logFile struct {
	*os.File
	dir   string
	fresh bool // its name is not on the disk yet
}

// Sync implements types.WritableFile. raft-wal never calls it concurrently.
func (f *logFile) Sync() error {
	if err := syncData(f.File); err != nil {
		return err
	}
	if !f.fresh {
		return nil
	}
	if err := pki.SyncDir(f.dir); err != nil {
		return err
	}
	f.fresh = false
	return nil
}
