package httpapi

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/audit"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/keyring"
)

// Store is the replicated machine as a handler needs it. All methods are safe for
// concurrent use, and end within a bound of their own, also when ctx has no deadline: the
// adapter sets none, because a timer and a context for every request cost more than the request's
// other bookkeeping. Errors are *fsm.Error.
type Store interface {
	// Propose replicates a command, applied at most once, and returns its result.
	Propose(ctx context.Context, c fsm.Command) (fsm.Result, error)
	// Barrier returns when View is linearizable for a read that starts now.
	Barrier(ctx context.Context) error
	// WaitIndex returns when the local machine has applied index.
	WaitIndex(ctx context.Context, index uint64) error
	// View runs f under the machine's read lock. f must not block, and not keep m.
	View(f func(m *fsm.Machine))
}

// Cluster is what the sys/ routes ask of the node.
type Cluster interface {
	Status() fsm.ClusterStatus
	Init(ctx context.Context, c fsm.Initialize) error
	// Join takes a join token, or "" to get in by what the node has. nonVoter: replicate without a
	// vote, for ever.
	Join(ctx context.Context, apiAddr, token string, nonVoter bool) error
	RemovePeer(ctx context.Context, id string) error
	StepDown(ctx context.Context) error
}

// Trust is what the routes of secure links ask of the node.
type Trust interface {
	// MintJoinToken makes a join token and the hash that PutJoinToken takes.
	MintJoinToken() (text string, hash fsm.JoinHash, err error)
	// RotateCA starts to replace the cluster's authority, unless that is under way.
	RotateCA(ctx context.Context) error
	// TrustStatus says how far that is.
	TrustStatus(ctx context.Context) (fsm.TrustStatus, error)
}

// Autopilot is what the routes of the autopilot ask of the node.
type Autopilot interface {
	// AutopilotStatus is what the leader makes of the members.
	AutopilotStatus(ctx context.Context) (fsm.AutopilotStatus, error)
}

// Snapshots is what the routes of backups and of the check of all replicas ask of the node.
type Snapshots interface {
	// SaveSnapshot returns what writes the state as it is now. Its Write must be called.
	SaveSnapshot(ctx context.Context) (fsm.Image, error)
	// RestoreSnapshot makes what body yields the state of the cluster. Unless force is set, it must be
	// a snapshot of this cluster. Invalid and Unavailable: nothing was changed.
	RestoreSnapshot(ctx context.Context, body io.Reader, force bool) (fsm.Comeback, error)
	// CheckReplicas compares the states of all nodes, and verifies each.
	CheckReplicas(ctx context.Context) (fsm.CheckReport, error)
	// LastCheck is what was found when they were last compared.
	LastCheck(ctx context.Context) (fsm.CheckReport, error)
}

// Keys seals what must be read again, with the keys of the cluster. Errors that a client may see are *fsm.Error.
type Keys interface {
	// Seal binds what it seals to context.
	Seal(plain, context []byte) ([]byte, error)
	// Open refuses what was not sealed in this cluster for this context.
	Open(sealed, context []byte) ([]byte, error)
	// Mint makes the data key of the next term, sealed.
	Mint() (keyring.Key, error)
	// Check says why this node cannot open one of the data keys, nil if it can open all.
	Check() error
}

// Operations are what operators ask of the node besides. What is nil is not served.
type Operations struct {
	Trust     Trust
	Autopilot Autopilot
	Snapshots Snapshots
	Keys      Keys
	Audit     *audit.Trail // nil: nothing is recorded, and no device can be enabled
}

// Config is what New needs. Zero values are documented.
type Config struct {
	Store   Store
	Cluster Cluster
	Operations
	Logger hclog.Logger // nil: none
	Now    func() time.Time
	Rand   io.Reader
	// DefaultTTL and MaxTTL are the system's; 0: 768 h.
	DefaultTTL, MaxTTL time.Duration
	Version            string
	Genesis            Genesis
	Limits             Limits
	Engines            Engines
}

// Genesis is what a cluster starts with that is initialized here.
type Genesis struct {
	ClusterName string // "": a random one
	RootTokenID string // the ID of the root token; "": minted
}

// Engines are what can be mounted.
type Engines struct {
	Methods map[string]engine.Method  // by type
	Secrets map[string]engine.Secrets // by type
	Sealer  engine.Sealer
}

// systemTTL is the reference's default of both TTLs.
const systemTTL = 768 * time.Hour

// Validate checks c and fills in zero values.
func (c *Config) Validate() error {
	if c.Store == nil || c.Cluster == nil {
		return errors.New("the API needs a store and a cluster")
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
	if c.MaxTTL == 0 {
		c.MaxTTL = systemTTL
	}
	if c.DefaultTTL == 0 {
		c.DefaultTTL = min(systemTTL, c.MaxTTL)
	}
	if c.DefaultTTL < 0 || c.MaxTTL < 0 || c.DefaultTTL > c.MaxTTL {
		return fmt.Errorf("default_lease_ttl %s must be positive and not above max_lease_ttl %s", c.DefaultTTL, c.MaxTTL)
	}
	return c.Limits.validate()
}
