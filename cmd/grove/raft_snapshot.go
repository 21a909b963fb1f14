package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/tokengrove/grove/snapshot"
)

const snapshotPath = "sys/storage/raft/snapshot"

func newRaftSnapshot(env *environment) *cobra.Command {
	return group("snapshot", "Save, restore and look at snapshots", newSnapshotSave(env), newSnapshotRestore(env), newSnapshotInspect(env))
}

func newSnapshotSave(env *environment) *cobra.Command {
	return command(env, "save FILE", "Save the state of the cluster to a file", cobra.ExactArgs(1), func(s *session, args []string) error {
		info, err := s.saveSnapshot(args[0])
		if err != nil {
			return err
		}
		return s.say("Success! Saved and verified %s: %d rows, SHA-256 %x", args[0], info.Rows, info.SHA256)
	})
}

// saveSnapshot writes the file whole, verified and durable, or not at all.
func (s *session) saveSnapshot(file string) (info snapshot.Info, err error) {
	resp, err := s.transfer(http.MethodGet, snapshotPath, nil, 0)
	if err != nil {
		return info, fmt.Errorf("error taking the snapshot: %w", err)
	}
	defer resp.Body.Close()
	tmp, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+".*") // mode 0600
	if err != nil {
		return info, fmt.Errorf("saving the snapshot: %w", err)
	}
	defer os.Remove(tmp.Name())
	defer tmp.Close()
	bar := s.progress(-1, "saving")
	info, err = snapshot.Inspect(io.TeeReader(resp.Body, io.MultiWriter(tmp, bar)))
	end(bar)
	if err != nil {
		return info, &exitError{2, fmt.Errorf("the snapshot did not arrive whole, and %s was not written: %w", file, err)}
	}
	if err = errors.Join(tmp.Sync(), tmp.Close()); err == nil {
		if err = os.Rename(tmp.Name(), file); err == nil {
			err = syncFolder(filepath.Dir(file))
		}
	}
	if err != nil {
		return info, fmt.Errorf("saving the snapshot: %w", err)
	}
	return info, nil
}

// syncFolder makes a rename durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func newSnapshotRestore(env *environment) *cobra.Command {
	var force bool
	c := command(env, "restore FILE", "Make a snapshot the state of the cluster", cobra.ExactArgs(1), func(s *session, args []string) error {
		path := snapshotPath
		if force {
			path += "-force"
		}
		return s.restoreSnapshot(args[0], path)
	})
	c.Long = "Make a snapshot the state of the whole cluster, while it serves. Tokens that were revoked or used up since work again; what was made since is gone. " +
		"The cluster stays itself: its nodes, links, join tokens and automatic snapshots are not touched."
	c.Flags().BoolVar(&force, "force", false, "take a snapshot of another cluster, too")
	return c
}

func (s *session) restoreSnapshot(file, path string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("restoring the snapshot: %w", err)
	}
	defer f.Close()
	// First here: a file that is damaged is not sent.
	if _, err := snapshot.Inspect(f); err != nil {
		return fmt.Errorf("%s is not restored: %w", file, err)
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err == nil {
		_, err = f.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("restoring the snapshot: %w", err)
	}
	bar := s.progress(size, "restoring")
	resp, err := s.transfer(http.MethodPost, path, io.TeeReader(f, bar), size)
	end(bar)
	if err != nil {
		return fmt.Errorf("error restoring the snapshot: %w", err)
	}
	defer resp.Body.Close()
	a := &answer{}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer)); err != nil {
		return &exitError{2, fmt.Errorf("reading the answer: %w", err)}
	}
	if !a.decode() {
		return &exitError{2, errors.New("the answer is no JSON object: is it a Grove server?")}
	}
	return s.p.secret(a)
}

// transfer sends one request whose body or answer is a file. It takes as long as it takes. An error answer is an *apiError
// inside an *exitError of 2, as from call.
func (s *session) transfer(method, path string, body io.Reader, size int64) (*http.Response, error) {
	target, err := s.c.url(path, nil)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(s.ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("request: %w", err)
	}
	req.Header.Set("X-Vault-Request", "true")
	if s.c.token != "" {
		req.Header.Set("X-Vault-Token", s.c.token)
	}
	if body != nil {
		req.ContentLength = size
		req.Header.Set("Expect", "100-continue") // who may not is told before the file is sent
		req.Header.Set("Content-Type", "application/octet-stream")
	}
	endless := *s.c.http
	endless.Timeout = 0
	resp, err := endless.Do(req)
	if err != nil {
		return nil, &exitError{2, unreachable(err)}
	}
	if resp.StatusCode < 400 {
		return resp, nil
	}
	defer resp.Body.Close()
	a := &answer{status: resp.StatusCode}
	if a.body, err = io.ReadAll(io.LimitReader(resp.Body, 1<<20)); err != nil {
		return nil, &exitError{2, fmt.Errorf("reading the answer: %w", err)}
	}
	a.decode()
	return nil, &exitError{2, a.failure(method, target)}
}

// progress shows on a terminal how far a file is; size -1: unknown.
func (s *session) progress(size int64, what string) io.Writer {
	if !s.env.errTerminal {
		return io.Discard
	}
	return progressbar.NewOptions64(size, progressbar.OptionSetWriter(s.env.stderr), progressbar.OptionSetDescription(what),
		progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
}

// end takes a progress off the terminal.
func end(bar io.Writer) {
	if p, ok := bar.(*progressbar.ProgressBar); ok {
		p.Finish()
	}
}

func newSnapshotInspect(env *environment) *cobra.Command {
	return command(env, "inspect FILE", "Verify a snapshot and say what is in it", cobra.ExactArgs(1), func(s *session, args []string) error {
		return s.inspectSnapshot(s.ctx, args[0])
	})
}

// kindNames are the rows of a snapshot as an operator knows them. Others are shown by number.
var kindNames = map[int]string{2: "edge_sessions", 3: "policies", 4: "roles", 5: "mounts", 6: "members", 7: "changes", 8: "tokens", 30: "join_tokens", 31: "trust", 32: "autopilot", 33: "births", 50: "stored", 51: "failed_logins", 60: "audit_devices", 61: "audit_headers", 70: "lineage", 71: "automatic_snapshots", 90: "idempotent_answers"}

// inspectSnapshot restores the file in memory: nothing less shows that it can be.
func (s *session) inspectSnapshot(_ context.Context, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("inspecting the snapshot: %w", err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return fmt.Errorf("inspecting the snapshot: %w", err)
	}
	info, m, err := snapshot.ReadInfo(f)
	if err != nil {
		return fmt.Errorf("inspecting %s: %w", file, err)
	}
	image := m.Freeze()
	whole, err := snapshot.Digest(image)
	if err != nil {
		return err
	}
	portable, err := snapshot.Digest(image.Portable())
	if err != nil {
		return err
	}
	h, counts := image.Header(), map[string]any{}
	for kind, n := range info.ByKind {
		name := kindNames[int(kind)]
		if kind == 1 {
			continue
		} else if name == "" {
			name = fmt.Sprintf("kind_%d", kind)
		}
		counts[name] = n
	}
	all := map[string]any{
		"id": fmt.Sprintf("%s-%d", h.ClusterID, h.Index), "size": st.Size(), "index": h.Index, "version": info.Version, "rows": info.Rows,
		"time": h.At.Time().UTC().Format(time.RFC3339Nano), "cluster_id": h.ClusterID, "cluster_name": h.ClusterName,
		"counts": counts, "live_tokens": m.TokenCount(h.At), "sha256": fmt.Sprintf("%x", info.SHA256),
		"state_hash": fmt.Sprintf("%x", portable), "replica_hash": fmt.Sprintf("%x", whole),
	}
	var rows []row
	for _, key := range []string{"id", "size", "index", "version", "time", "cluster_id", "cluster_name", "rows", "live_tokens", "counts", "sha256", "state_hash", "replica_hash"} {
		rows = append(rows, row{key, all[key]})
	}
	return s.p.object(all, rows)
}
