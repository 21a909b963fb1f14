package engine

import (
	"context"
	"crypto/tls"
	"io"
	"time"

	"github.com/tokengrove/grove/fsm/token"
)

// Method is a login method. One value serves all mounts of its type, and is safe for concurrent use.
type Method interface {
	// Paths is the same at every call: it is asked for once.
	Paths() []Path
	// Renew says by which terms a token that the method has issued is renewed now. An error is why it
	// is not: roles and users may have changed, and the outside may no longer know them.
	Renew(ctx context.Context, rq *Request, rec *token.Record) (Terms, error)
}

// Operation is what a request wants of a path.
type Operation uint8

// The operations. Write is a create or an update: Path.Exists tells them apart.
const (
	Read   Operation = 1
	Write  Operation = 2
	Delete Operation = 3
	List   Operation = 4
)

// Handler answers one operation. It may change the state through rq.Storage and its Response only.
type Handler func(ctx context.Context, rq *Request) (*Response, error)

// Path is a pattern below a mount, and what it does.
type Path struct {
	// Pattern is segments: "users/{username}" takes one segment that is a name (letters, digits and "_",
	// with "-" and "." inside); "{rest...}" takes all that is left. Its variables are fields.
	Pattern string
	Fields  Fields
	// Login paths need no token. Their handler answers with a Login, and is limited in how often a
	// client may call it.
	Login bool
	// Sudo paths need the sudo capability.
	Sudo bool
	// Lends: a Read, too, may answer with a Secret.
	Lends bool
	// Exists tells an update from a create for the ACL; nil: every write is an update.
	Exists func(rq *Request) bool
	Ops    map[Operation]Handler
}

// Request is one call of a handler.
type Request struct {
	Op      Operation
	Storage *Tx
	Mount   Mount
	Values         // the fields that were sent
	Path    string // below the mount
	Now     token.Instant
	Client  Client
	// Locked reports whether too many logins of an alias have failed. Ask before any work is done.
	Locked func(alias string) bool
	Sealer Sealer
	Rand   io.Reader // cryptographically random
}

// Mount is where the engine is mounted.
type Mount struct {
	Path, UUID, Accessor string // "auth/ci/"
	// DefaultTTL and MaxTTL are what the mount allows, the system's bounds applied.
	DefaultTTL, MaxTTL time.Duration
}

// Client is who calls.
type Client struct {
	Address string // with port
	TLS     *tls.ConnectionState
	Header  func(name string) string
}

// Response is what a handler answers. A nil Response is "done, nothing to say" (204).
type Response struct {
	Data     map[string]any
	Keys     []string // the answer to a List; none is "not found"
	Login    *Login
	Secret   *Secret // of a lease engine
	Warnings []string
	Status   int // 0: 200, or 204 without data
	// Then runs once what the handler has written is replicated, as a transaction of its own, and answers in its place. It
	// is for what must be known before something is done outside, such as the password to be. If this node dies before Then has
	// ended, the state stays as the first handler left it: a later request must be able to go on from there. Not with
	// Login or Secret.
	Then Handler
	// Raw is for a browser: the whole body of the answer. Data and Keys do not count then.
	Raw *Raw
}

// Raw is a body that is no JSON.
type Raw struct {
	ContentType string
	// Headers are what it needs besides, such as a Content-Security-Policy.
	Headers map[string]string
	Body    []byte
}

// Login is a token that shall be made.
type Login struct {
	Params
	// Alias names who logged in, the same at every login; it is also what failures are counted by.
	Alias string
	// DisplayName is put behind the mount's path.
	DisplayName string
	Metadata    map[string]string
	// Data is what Renew wants to see again in token.Record.Login.Data; it is not shown, and not sealed.
	Data string
	// NotRenewable makes a token that ends at its TTL.
	NotRenewable bool
}

// Terms are by which a token is renewed: those of the user or role as they are now. Zero
// durations leave it to the mount.
type Terms struct {
	TTL, MaxTTL, Period, ExplicitMax time.Duration
}

// Sealer hides what an engine must be able to read again. context binds a sealed text to its place,
// such as the storage key: sealed elsewhere it does not open.
type Sealer interface {
	Seal(plain, context []byte) ([]byte, error)
	Open(sealed, context []byte) ([]byte, error)
}
