package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/cluster"
	"github.com/tokengrove/grove/httpapi"
)

// plan turns the files into what wiring needs. It reads certificates, the cluster key and the
// seal key, and nothing else.
func (c *config) plan(log hclog.Logger) (*nodeConfig, error) {
	client, err := c.Storage.httpClient()
	if err != nil {
		return nil, err
	}
	key, err := c.Join.key(log)
	if err != nil {
		return nil, err
	}
	sealKey, err := readSealKey(c.Join.SealKeyFile)
	if err != nil {
		return nil, err
	}
	n := &nodeConfig{
		cluster: cluster.Config{
			DataDir: c.Storage.Path, NodeID: c.Storage.NodeID, Multiplier: c.Storage.Multiplier, Logger: log, SealKey: sealKey,
			Join: cluster.Join{HTTP: client, NonVoter: c.Storage.NonVoter, Key: key, Token: c.Join.Token},
			Tune: cluster.Tuning{
				SnapshotThreshold: uint64(c.Storage.Snapshots.Threshold), TrailingLogs: uint64(c.Storage.Snapshots.Trailing),
				SnapshotInterval: c.Storage.Snapshots.Interval, ClockSkew: c.Storage.ClockSkew, CheckInterval: c.Storage.CheckInterval,
			},
		},
		api: httpapi.Config{Logger: log, Genesis: httpapi.Genesis{ClusterName: c.ClusterName}, DefaultTTL: c.DefaultTTL, MaxTTL: c.MaxTTL, Limits: c.Limits},
	}
	for _, j := range c.Storage.Joins {
		n.cluster.Join.Addresses = append(n.cluster.Join.Addresses, strings.TrimRight(j.APIAddr, "/"))
	}
	for _, l := range c.Listeners {
		t, pair, err := l.TLS.config()
		if err != nil {
			return nil, fmt.Errorf("listener %s: %w", l.Address, err)
		}
		n.listeners = append(n.listeners, listenerConfig{address: l.Address, tls: t, pair: pair, timeouts: l.Timeouts, connections: l.Connections})
	}
	n.cluster.ClusterAddr, err = c.clusterBind()
	if err != nil {
		return nil, err
	}
	return n, c.advertise(n)
}

// clusterBind is the first cluster_address of a listener, else the port after the first API port.
func (c *config) clusterBind() (string, error) {
	for _, l := range c.Listeners {
		if l.ClusterAddress != "" {
			return l.ClusterAddress, nil
		}
	}
	addr, err := nextPort(c.Listeners[0].Address)
	if err != nil {
		return "", fmt.Errorf("listener: %w", err)
	}
	return addr, nil
}

// advertise says how others reach the node. Without cluster_addr, it is the host of api_addr.
func (c *config) advertise(n *nodeConfig) error {
	n.cluster.Advertise.API = strings.TrimRight(c.APIAddr, "/")
	if c.ClusterAddr != "" {
		u, err := url.Parse(c.ClusterAddr)
		if err != nil {
			return fmt.Errorf("cluster_addr: %w", err)
		}
		n.cluster.Advertise.Cluster = u.Host
		if u.Port() == "" {
			_, port, err := net.SplitHostPort(n.cluster.ClusterAddr)
			if err != nil {
				return fmt.Errorf("cluster_addr: %w", err)
			}
			n.cluster.Advertise.Cluster = net.JoinHostPort(u.Hostname(), port)
		}
		return nil
	}
	host := ""
	if u, err := url.Parse(c.APIAddr); err == nil {
		host = u.Hostname()
	}
	if addr := reachable(n.cluster.ClusterAddr, host); addr != n.cluster.ClusterAddr {
		n.cluster.Advertise.Cluster = addr
	}
	return nil
}
