package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/tokengrove/grove/snapshot"
)

// rare makes a node take none of its own snapshots, which would be beside the one that is measured.
const rare = "snapshot_threshold = 100000000\n  snapshot_interval = \"24h\""

// backup saves a snapshot of so many tokens through the API beside writers, and restores it on a fresh node.
func (o *options) backup(t *table, tokens int) error {
	from, err := newNode(o.bin, o.dir, fmt.Sprint("from-", tokens), rare)
	if err != nil {
		return err
	}
	defer os.RemoveAll(from.dir)
	defer from.kill()
	if err := from.found(); err != nil {
		return err
	}
	from.kill()
	if err := lay(from, shape{tokens: tokens, tree: tokens / 2, chain: min(o.chain, tokens/10)}); err != nil {
		return fmt.Errorf("laying down the state: %w", err)
	}
	if _, err := from.serve(); err != nil {
		return err
	}
	pause(settling)
	file := filepath.Join(from.dir, "saved.snap")
	if err := from.saveBeside(t, tokens, file); err != nil {
		return fmt.Errorf("saving: %w", err)
	}
	return o.restoreAfresh(t, tokens, file)
}

// saveBeside measures how much longer writes take at most while a snapshot is saved than without one.
func (n *node) saveBeside(t *table, tokens int, file string) error {
	l := startLoad(clients, func(*rand.Rand) (bool, string, error) {
		made, err := n.create()
		return true, made, err
	})
	pause(time.Second) // warm-up
	begin := time.Now()
	err := n.transfer("GET", "sys/storage/raft/snapshot", nil, func(body io.Reader) error { return store(file, body) })
	end := time.Now()
	took := end.Sub(begin)
	pause(time.Second)
	alone := time.Now()
	pause(max(took, time.Second)) // as long as beside the snapshot: the longest of as many
	until := time.Now()
	if err := errors.Join(err, l.end()); err != nil {
		return err
	}
	beside, without := l.took(true, begin, end), l.took(true, alone, until)
	name := func(what string) string { return fmt.Sprintf("%s tokens: %s", number(tokens), what) }
	t.time(name("save through the API beside writers"), took, 0)
	t.time(name("write beside no snapshot, p99"), quantile(without, 0.99), 0)
	t.time(name("write while one is saved, p99"), quantile(beside, 0.99), 0)
	t.time(name("write beside no snapshot, longest"), quantile(without, 1), 0)
	t.time(name("write while one is saved, longest"), quantile(beside, 1), 0)
	t.time(name("… what the snapshot adds to the longest"), max(0, quantile(beside, 1)-quantile(without, 1)), 10*time.Millisecond)
	return nil
}

// restoreAfresh restores the file on a new cluster, which must have the same state hash afterwards.
func (o *options) restoreAfresh(t *table, tokens int, file string) error {
	want, err := hashOf(file)
	if err != nil {
		return err
	}
	to, err := newNode(o.bin, o.dir, fmt.Sprint("to-", tokens), rare)
	if err != nil {
		return err
	}
	defer os.RemoveAll(to.dir)
	defer to.kill()
	if err := to.found(); err != nil {
		return err
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var a struct {
		Data struct {
			Hash string `json:"state_hash"`
		}
	}
	begin := time.Now()
	err = to.transfer("POST", "sys/storage/raft/snapshot-force", f, func(body io.Reader) error { return json.NewDecoder(body).Decode(&a) })
	took := time.Since(begin)
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	if a.Data.Hash != want {
		return fmt.Errorf("state hash %q after the restore, %q in the file", a.Data.Hash, want)
	}
	if err := to.lookup(string(idOf(tokens))); err != nil {
		return fmt.Errorf("a token of the snapshot is not there: %w", err)
	}
	t.time(fmt.Sprintf("%s tokens: restore on a fresh node, state hash equal", number(tokens)), took, 0)
	return nil
}

// hashOf is the state hash of a snapshot, as inspect shows it.
func hashOf(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	m, err := snapshot.Read(bufio.NewReader(f))
	if err != nil {
		return "", err
	}
	sum, err := snapshot.Digest(m.Freeze().Portable())
	return fmt.Sprintf("%x", sum), err
}

func store(file string, body io.Reader) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, body)
	return errors.Join(err, f.Close())
}

// transfer sends a request whose body or answer is a file.
func (n *node) transfer(method, path string, body io.Reader, use func(io.Reader) error) error {
	req, err := http.NewRequest(method, "http://"+n.api+"/v1/"+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("X-Vault-Token", n.root)
	long := http.Client{Timeout: patience}
	resp, err := long.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
		return errors.Join(&refusal{resp.StatusCode, string(text)}, err)
	}
	return use(resp.Body)
}
