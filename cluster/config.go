package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/cluster/pki"
	"github.com/tokengrove/grove/cluster/seal"
)

// Config is what a Node needs. Zero values are documented; Validate fills them in.
type Config struct {
	// DataDir holds everything the node keeps. It must exist or be creatable.
	DataDir string
	// NodeID names the node for ever. Empty: the one kept in DataDir, or a random one.
	NodeID string
	// ClusterAddr is the host:port that the node binds for its peers. Port 0 picks one.
	ClusterAddr string
	// Advertise is where peers reach ClusterAddr, and API what clients are told to use.
	// An empty Advertise is the bound address.
	Advertise Advertise
	// Join says how the node finds a cluster and gets in.
	Join Join
	// Multiplier stretches all time-outs; 0 means 1, tuned for a LAN.
	Multiplier float64
	Logger     hclog.Logger
	// Now is the clock that stamps entries; nil: time.Now.
	Now func() time.Time
	// Rand mints session and node IDs; nil: crypto/rand.
	Rand io.Reader
	// SealKey is that of a cluster which this node makes; zero: a new one. It has no meaning for a cluster that is there.
	SealKey seal.Key
	Tune    Tuning
	// Duty is work that only a leader does, besides what the cluster itself needs; nil: none. It runs while
	// this node leads, on a goroutine of its own, and returns soon after ctx has ended. The next reign's starts without
	// waiting for it.
	Duty func(ctx context.Context, n *Node)
}

// Join is how a node finds a cluster, and what lets it in.
type Join struct {
	// Addresses are the API addresses of members, any of which lets this node join by itself.
	Addresses []string
	// HTTP asks them; nil: a client with short time-outs.
	HTTP *http.Client
	// NonVoter makes the node replicate without a vote.
	NonVoter bool
	// Key is the cluster key: nodes that have the same one let each other in. A member without
	// one lets in only who has a join token.
	Key string
	// Token is a join token, for a node without the cluster key.
	Token string
}

// Advertise is how others reach the node.
type Advertise struct {
	Cluster  string // host:port
	API      string // URL
	Version  string
	Hostname string
}

// Tuning holds what tests and operators of odd machines change.
type Tuning struct {
	// SnapshotThreshold is how many entries a snapshot waits for; 0: 65536.
	SnapshotThreshold uint64
	// TrailingLogs is how many entries stay behind a snapshot; 0: 65536.
	TrailingLogs uint64
	// SnapshotInterval is how often the threshold is looked at; 0: 30 s.
	SnapshotInterval time.Duration
	// Dial replaces the dialer of links, to inject faults; nil: TCP.
	Dial func(addr string, timeout time.Duration) (net.Conn, error)
	// NoGossip keeps memberlist off.
	NoGossip bool
	// CertificateLife is how long the certificate of a node holds; it is renewed when two thirds of
	// that are over. 0: 30 days.
	CertificateLife time.Duration
	// CheckInterval is how often the leader has all replicas compare their states, if there was news; 0: a minute.
	CheckInterval time.Duration
	// ClockSkew is how far the clock of a leader may be from the median of the voters'; 0: 10 s.
	ClockSkew time.Duration
}

// Times of a LAN; Multiplier stretches them. A killed leader is noticed after 1 to 2
// heartbeat time-outs, and replaced within about one election time-out more.
const (
	heartbeatTimeout = 400 * time.Millisecond
	electionTimeout  = 400 * time.Millisecond
	leaderLease      = 300 * time.Millisecond
	commitTimeout    = 4 * time.Millisecond
	// patience is how long a request waits for a leader before it is asked whether there
	// can be one: a refusal for want of a quorum comes within two seconds.
	patience = 1200 * time.Millisecond
	// probeTimeout bounds that question.
	probeTimeout = 300 * time.Millisecond
	// electionPatience is how long a request waits when a quorum is reachable, so that an
	// election must be going on.
	electionPatience = 10 * time.Second
	// requestTimeout bounds a request that has a leader.
	requestTimeout = 30 * time.Second
	dialTimeout    = 2 * time.Second
)

// Validate checks c and fills in zero values.
func (c *Config) Validate() error {
	if c.DataDir == "" {
		return errors.New("a node needs a data directory")
	}
	if _, _, err := net.SplitHostPort(c.ClusterAddr); err != nil {
		return fmt.Errorf("cluster address %q: want host:port: %w", c.ClusterAddr, err)
	}
	if c.Multiplier < 0 || c.Multiplier > 100 {
		return fmt.Errorf("performance multiplier %v: want 0 to 100", c.Multiplier)
	}
	if c.Multiplier == 0 {
		c.Multiplier = 1
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Rand == nil {
		c.Rand = rand.Reader
	}
	if c.Join.HTTP == nil {
		c.Join.HTTP = &http.Client{Timeout: 5 * time.Second}
	}
	if err := c.Join.validate(); err != nil {
		return err
	}
	c.Tune.fill()
	return nil
}

// validate looks at what is secret in j, and never repeats it.
func (j *Join) validate() error {
	if j.Key != "" {
		if _, err := pki.ClusterKey(j.Key); err != nil {
			return err
		}
	}
	if j.Token != "" {
		if _, err := pki.ParseJoinToken(j.Token); err != nil {
			return err
		}
	}
	return nil
}

// fill puts the usual values in the place of zeros.
func (t *Tuning) fill() {
	if t.SnapshotThreshold == 0 {
		t.SnapshotThreshold = 1 << 16
	}
	if t.TrailingLogs == 0 {
		t.TrailingLogs = 1 << 16
	}
	if t.SnapshotInterval == 0 {
		t.SnapshotInterval = 30 * time.Second
	}
	if t.Dial == nil {
		t.Dial = func(addr string, timeout time.Duration) (net.Conn, error) {
			return net.DialTimeout("tcp", addr, timeout)
		}
	}
	if t.CheckInterval == 0 {
		t.CheckInterval = time.Minute
	}
	if t.ClockSkew == 0 {
		t.ClockSkew = clockLimit
	}
	if t.CertificateLife == 0 {
		t.CertificateLife = 30 * 24 * time.Hour
	}
}

// stretch applies the multiplier.
func (c *Config) stretch(d time.Duration) time.Duration {
	return time.Duration(float64(d) * c.Multiplier)
}

// gossipAddr is the cluster address with the next port.
func gossipAddr(cluster string) (host string, port int, err error) {
	h, p, err := net.SplitHostPort(cluster)
	if err != nil {
		return "", 0, err
	}
	n, err := strconv.Atoi(p)
	if err != nil || n >= 65535 {
		return "", 0, fmt.Errorf("no gossip port after %s", cluster)
	}
	return h, n + 1, nil
}
