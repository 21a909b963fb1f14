package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
)

// newOperatorSealKey reads the data directory of a node, and asks no server: no API gives this key out.
func newOperatorSealKey(env *environment) *cobra.Command {
	var dir string
	c := &cobra.Command{Use: "seal-key", Short: "Print the seal key of the cluster from a node's data directory", Args: cobra.NoArgs, RunE: func(*cobra.Command, []string) error {
		if dir == "" {
			return errors.New("-data-dir is needed: the path of the node's storage \"raft\"")
		}
		key, err := sealKeyOf(dir)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(env.stdout, key.Text())
		return err
	}}
	c.Long = "Print the key under which the cluster's data keys are sealed. It is in no snapshot: keep a copy in a safe place beside the snapshots, and give it to " +
		"another cluster with seal_key_file before that is initialized, so that what a snapshot holds sealed can be read there."
	c.Flags().StringVar(&dir, "data-dir", "", "the data directory of a node")
	return c
}

func sealKeyOf(dir string) (seal.Key, error) {
	c, err := pki.Load(dir)
	switch {
	case err != nil:
		return seal.Key{}, err
	case c == nil:
		return seal.Key{}, fmt.Errorf("%s has no credentials.json: it is not the data directory of a node in a cluster", dir)
	}
	return c.Bundle.Seal, nil
}

// readSealKey reads the file of the option seal_key_file; "" is none.
func readSealKey(file string) (seal.Key, error) {
	if file == "" {
		return seal.Key{}, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return seal.Key{}, fmt.Errorf("seal_key_file: %w", err)
	}
	k, err := seal.ParseKey(string(b))
	if err != nil {
		return k, fmt.Errorf("seal_key_file %s: %w", file, err)
	}
	return k, nil
}
