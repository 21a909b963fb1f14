package compose

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// pid returns the process of a container on the host, "0" if it does not run. Docker is asked only
// when the last known one is gone: on a busy machine it takes its time.
func (n *node) pid(ctx context.Context) (string, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lastPID != "" {
		if _, err := os.Stat("/proc/" + n.lastPID + "/exe"); err == nil {
			return n.lastPID, nil
		}
	}
	pid, err := run(ctx, "docker", "inspect", "-f", "{{.State.Pid}}", n.box)
	if n.lastPID = pid; err != nil || pid == "0" {
		n.lastPID = ""
	}
	return pid, err
}

// kill ends the node at once, if it runs.
func (n *node) kill(ctx context.Context) error {
	_, err := run(ctx, "docker", "kill", n.box)
	if err != nil && strings.Contains(err.Error(), "is not running") {
		return nil
	}
	return err
}

// boot starts the container, unless it runs. Docker itself may be at it: then it is given time.
func (v *victim) boot(ctx context.Context, n *node) error {
	if _, err := run(ctx, "docker", "start", n.box); err != nil {
		return err
	}
	return v.net.restore(ctx, n)
}

// fill leaves the node no room for its state.
func (n *node) fill() error {
	f, err := os.OpenFile(n.filler(), os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	zeros := make([]byte, 1<<20)
	for size := len(zeros); err == nil; {
		if _, err = f.Write(zeros[:size]); errors.Is(err, syscall.ENOSPC) && size > 1 {
			size, err = size/2, nil
		}
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = nil
	}
	return errors.Join(err, f.Close())
}

func (n *node) filler() string { return filepath.Join(n.data(), "filler") }

// free gives the room back.
func (n *node) free() error {
	if err := os.Remove(n.filler()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// wipe removes all that the node, which does not run, has on its disk.
func (n *node) wipe() error {
	entries, err := os.ReadDir(n.data())
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(n.data(), e.Name())))
	}
	return err
}

// shift makes the node's clock be off by d.
func (n *node) shift(d time.Duration) error {
	file := filepath.Join(n.clockDir(), "offset")
	if err := os.WriteFile(file+".new", []byte(d.String()+"\n"), 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}
