package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// devShape is what a kept development cluster was made with. The addresses of its nodes are
// in its Raft log, so that a cluster of several nodes cannot move.
type devShape struct {
	Nodes  int    `json:"dev_nodes"`
	Listen string `json:"dev_listen_address"`
}

// devFolder returns the folder of the state and what to do with it at the end. A kept folder
// must have been made by the same flags, or by one node.
func devFolder(keep string, shape devShape, env *environment) (string, func(), error) {
	if keep == "" {
		dir, err := os.MkdirTemp(env.getenv("TMPDIR"), "grove-dev-")
		if err != nil {
			return "", nil, fmt.Errorf("temporary folder: %w", err)
		}
		return dir, func() { os.RemoveAll(dir) }, nil
	}
	if err := os.MkdirAll(keep, 0o700); err != nil {
		return "", nil, fmt.Errorf("-dev-data: %w", err)
	}
	if err := shape.keep(filepath.Join(keep, "dev.json")); err != nil {
		return "", nil, fmt.Errorf("-dev-data: %w", err)
	}
	return keep, func() {}, nil
}

func (s devShape) keep(file string) error {
	b, err := os.ReadFile(file)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err == nil {
		var old devShape
		if err := json.Unmarshal(b, &old); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if old == s {
			return nil
		}
		if old.Nodes > 1 || s.Nodes < old.Nodes {
			return fmt.Errorf("%s was made with -dev-nodes=%d -dev-listen-address=%s: start it with the same", filepath.Dir(file), old.Nodes, old.Listen)
		}
	}
	if b, err = json.Marshal(s); err != nil {
		return err
	}
	return os.WriteFile(file, append(b, '\n'), 0o600)
}
