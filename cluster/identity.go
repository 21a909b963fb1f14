package cluster

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tokengrove/grove/cluster/pki"
)

// formatVersion is that of the data directory as a whole.
const formatVersion = 1

// identity is what a data directory belongs to: DataDir/grove.json.
type identity struct {
	Format    int    `json:"format_version"`
	NodeID    string `json:"node_id"`
	ClusterID string `json:"cluster_id"`
	// Founding: this node makes the cluster, and is not known to have finished. After a crash, Init
	// goes on with it.
	Founding bool `json:"founding,omitempty"`
	// Birth is a random number that is made with the directory, "" in those of earlier builds. A node
	// that comes back with an empty directory, under the same ID, has another one.
	Birth string `json:"birth,omitempty"`
	// AdmittedAt is the last entry that the leader had when it let the node in.
	AdmittedAt uint64 `json:"admitted_at,omitempty"`
	// NonVoter: an operator has made the node join without a vote.
	NonVoter bool `json:"non_voter,omitempty"`
}

func identityFile(dir string) string { return filepath.Join(dir, "grove.json") }

// loadIdentity reads or makes the identity of dir. wanted is the configured node ID, if any.
func loadIdentity(dir, wanted string, random io.Reader) (identity, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return identity{}, fmt.Errorf("data directory: %w", err)
	}
	b, err := os.ReadFile(identityFile(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return newIdentity(dir, wanted, random)
	}
	if err != nil {
		return identity{}, fmt.Errorf("data directory: %w", err)
	}
	var id identity
	if err := json.Unmarshal(b, &id); err != nil {
		return id, fmt.Errorf("data directory: %s: %w", identityFile(dir), err)
	}
	switch {
	case id.Format > formatVersion:
		return id, fmt.Errorf("data directory %s has format version %d, this build knows up to %d: it was written by a newer Grove", dir, id.Format, formatVersion)
	case id.Format < 1 || id.NodeID == "":
		return id, fmt.Errorf("data directory: %s is not an identity file", identityFile(dir))
	case wanted != "" && wanted != id.NodeID:
		return id, fmt.Errorf("data directory %s belongs to node %q, the configuration says %q", dir, id.NodeID, wanted)
	}
	if id.ClusterID == "" && hasLog(dir) {
		return id, fmt.Errorf("data directory %s has a Raft log, but %s names no cluster", dir, identityFile(dir))
	}
	return id, nil
}

// newIdentity makes the identity of an empty directory.
func newIdentity(dir, wanted string, random io.Reader) (identity, error) {
	id := identity{Format: formatVersion, NodeID: wanted}
	if hasLog(dir) {
		return id, fmt.Errorf("data directory %s has a Raft log, but no %s: it is not Grove's, or incomplete", dir, identityFile(dir))
	}
	r := make([]byte, 16)
	if _, err := io.ReadFull(random, r); err != nil {
		return id, fmt.Errorf("minting a node id: %w", err)
	}
	id.Birth = hex.EncodeToString(r[:8])
	if id.NodeID == "" {
		id.NodeID = "node-" + hex.EncodeToString(r[8:])
	}
	return id, id.save(dir)
}

func hasLog(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "raft.db"))
	return err == nil
}

// save writes the file whole or not at all.
func (id identity) save(dir string) error {
	b, err := json.MarshalIndent(id, "", "  ")
	if err != nil {
		return fmt.Errorf("encoding identity: %w", err)
	}
	return pki.WriteFile(identityFile(dir), append(b, '\n'))
}
