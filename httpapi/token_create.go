package httpapi

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

var createFields = schema{
	"id": text, "display_name": text, "policies": list, "meta": pairs, "no_parent": boolean, "no_default_policy": boolean,
	"renewable": boolean, "ttl": text, "lease": text, "explicit_max_ttl": text, "period": text, "type": text, "num_uses": integer,
	"entity_alias": text, "format": text,
}

// Bounds of what one token may carry.
const (
	maxShort = 4096 // bytes of an ID, a display name, a path suffix
	maxMeta  = 1 << 16
	maxUses  = 1<<31 - 1
)

func createToken(rq *request) (*response, error) { return rq.create(nil, false) }

func createOrphan(rq *request) (*response, error) { return rq.create(nil, true) }

func createWithRole(rq *request) (*response, error) {
	ro, ok := rq.role(rq.text("role_name"))
	if !ok {
		return nil, invalid("unknown role %s", rq.text("role_name"))
	}
	return rq.create(ro, false)
}

// draft is a token on its way, with what the rules need of its surroundings.
type draft struct {
	rq       *request
	role     *tokenRole // nil: none
	rec      token.Record
	id       token.ID
	orphan   bool // asked for by the path
	elevated bool
	// The rules may use more than the record keeps: a role's period and maximum.
	period, explicitMax time.Duration
}

// create issues a child of the caller. The steps and their texts follow the reference's
// order, so that a request with two faults is told of the same one.
func (rq *request) create(ro *tokenRole, orphan bool) (*response, error) {
	d := &draft{rq: rq, role: ro, orphan: orphan, rec: token.Record{
		Type: token.Service, Parent: rq.caller.Hash, DisplayName: "token", Path: rq.path,
	}}
	for _, step := range []func() error{
		d.checkKind, d.checkSizes, d.takeRole, d.takeNames, d.choosePolicies, d.checkBatch, d.chooseParent, d.readTimes, d.chooseTTL,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	if d.rec.Type == token.Batch {
		return d.issueBatch()
	}
	if err := d.mint(); err != nil {
		return nil, err
	}
	if rq.keyed != nil {
		return d.createOnce()
	}
	r, err := rq.propose(d.command())
	if err != nil {
		return nil, err
	}
	if err := d.warnMissingPolicies(r.Index); err != nil {
		return nil, err
	}
	return showToken(d.id, &r), nil
}

func (d *draft) command() fsm.Command {
	return &fsm.CreateToken{Caller: d.rq.asker(), Token: d.rec, Elevated: d.elevated}
}

// createOnce warns of missing policies before it proposes: apply finds the command stale if that has changed.
func (d *draft) createOnce() (*response, error) {
	d.warnOf(d.missingPolicies())
	d.rq.keyed.memo.ID = token.ID(d.rq.text("id"))
	r, err := d.rq.propose(d.command())
	return showCreated(d.rq, &r, err)
}

// showCreated shows the token that a request with a key has created.
func showCreated(rq *request, r *fsm.Result, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	id := rq.keyed.memo.ID
	if id == "" {
		if id, err = rq.mintID(); err != nil {
			return nil, err
		}
	}
	return showToken(id, r), nil
}

func showToken(id token.ID, r *fsm.Result) *response {
	return &response{auth: authOf(id, r.Token, r.Token.TTL), mount: "token"}
}

// checkKind refuses what can be no token, and a caller that may have no children.
func (d *draft) checkKind() error {
	rq := d.rq
	switch {
	case rq.caller.Type == token.Batch:
		return errBatchChildren
	case rq.caller.Limited():
		return invalid("restricted use token cannot generate child tokens")
	}
	switch d.kind() {
	case "", "service":
	case "batch":
		if err := d.becomeBatch(); err != nil {
			return err
		}
	default:
		return invalid("invalid 'token_type' value")
	}
	alias := strings.ToLower(rq.text("entity_alias"))
	switch {
	case rq.integer("num_uses") < 0:
		return invalid("number of uses cannot be negative")
	case alias == "":
		return nil
	case d.role == nil:
		return invalid("'entity_alias' is only allowed in combination with token role")
	case !matchesAny(alias, d.role.AllowedEntityAliases, d.role.AllowedEntityAliases):
		return invalid("invalid 'entity_alias' value")
	}
	return invalid("'entity_alias' is not supported yet: there are no entities")
}

// kind is the type that was asked for, unless the role decides.
func (d *draft) kind() string {
	kind := d.rq.text("type")
	if d.role == nil {
		return kind
	}
	switch t := d.role.TokenType; {
	case t == "service", t == "batch":
		return t
	case t == "default-batch" && kind == "":
		return "batch"
	}
	return kind
}

// checkSizes refuses what would not fit, before it is copied around.
func (d *draft) checkSizes() error {
	rq := d.rq
	for _, f := range []string{"display_name", "id"} {
		if len(rq.text(f)) > maxShort {
			return invalid("field %s: at most %d bytes are allowed", f, maxShort)
		}
	}
	if rq.integer("num_uses") > maxUses {
		return invalid("field num_uses: at most %d uses can be counted", maxUses)
	}
	size := 0
	for k, v := range rq.pairs("meta") {
		size += len(k) + len(v)
	}
	if size > maxMeta {
		return invalid("field meta: at most %d bytes are allowed", maxMeta)
	}
	return nil
}

// takeRole takes what caller and role say of the token itself.
func (d *draft) takeRole() error {
	rec, ro := &d.rec, d.role
	rec.NumUses = uint32(d.rq.integer("num_uses"))
	rec.Renewable = d.rq.raw["renewable"] == nil || d.rq.boolean("renewable")
	if ro == nil {
		return nil
	}
	rec.Role = ro.Name
	rec.Renewable = rec.Renewable && ro.Renewable
	if ro.TokenNumUses > 0 && (rec.NumUses == 0 || ro.TokenNumUses < rec.NumUses) {
		rec.NumUses = ro.TokenNumUses
	}
	if ro.PathSuffix != "" {
		rec.Path += "/" + ro.PathSuffix
	}
	return nil
}

var notInDisplayNames = regexp.MustCompile(`[^a-zA-Z0-9-]`)

// takeNames takes what the caller calls the token. Only a privileged one may choose its ID.
func (d *draft) takeNames() error {
	rq, rec := d.rq, &d.rec
	if meta := rq.pairs("meta"); len(meta) > 0 {
		rec.Meta = maps.Clone(meta)
	}
	if n := rq.text("display_name"); n != "" {
		rec.DisplayName = strings.TrimSuffix(notInDisplayNames.ReplaceAllString("token-"+n, "-"), "-")
	}
	if d.id = token.ID(rq.text("id")); d.id != "" && !rq.decision.Sudo {
		return invalid("root or sudo privileges required to specify token id")
	}
	return nil
}

// chooseParent makes orphans, and decides from where the token may be used: a role says it,
// or else a child inherits it.
func (d *draft) chooseParent() error {
	rq, rec := d.rq, &d.rec
	orphan := d.orphan
	switch {
	case d.role != nil:
		orphan, rec.BoundCIDRs = d.role.Orphan, d.role.cidrs()
	case rq.boolean("no_parent"):
		if !rq.decision.Sudo {
			return invalid("root or sudo privileges required to create orphan token")
		}
		orphan = true
	}
	if orphan {
		rec.Parent = token.Hash{}
	} else if d.role == nil {
		rec.BoundCIDRs = rq.caller.BoundCIDRs
	}
	return nil
}

// mint makes the ID and the accessor, or checks the ID that was chosen.
func (d *draft) mint() error {
	var err error
	switch chosen := string(d.id); {
	case chosen == "":
		if d.id, err = d.rq.mintID(); err != nil {
			return err
		}
	case strings.HasPrefix(chosen, token.ServicePrefix):
		return invalid("custom token ID cannot have the '%s' prefix", token.ServicePrefix)
	case strings.HasPrefix(chosen, "s."):
		return invalid("custom token ID cannot have the 's.' prefix")
	case strings.Contains(chosen, "."):
		return invalid("custom token ID cannot have a '.' in the value")
	default:
		d.rq.warn("Supplying a custom ID for the token uses the weaker SHA1 hashing instead of the more secure SHA2-256 HMAC for token obfuscation. SHA1 hashed tokens on the wire leads to less secure lookups.")
	}
	d.rec.Hash = d.rq.hash(d.id)
	d.rec.Accessor, err = token.NewAccessor(d.rq.api.cfg.Rand)
	return err
}

// warnMissingPolicies names policies that do not exist, which is no error. Before that is
// said, the replica must be as new as the token.
func (d *draft) warnMissingPolicies(index uint64) error {
	if len(d.missingPolicies()) == 0 {
		return nil
	}
	if err := d.rq.api.store.WaitIndex(d.rq.ctx, index); err != nil {
		return fsm.Errorf(fsm.OutcomeUnknown, "the token was created, but this node has not caught up with it: %v", err)
	}
	d.warnOf(d.missingPolicies())
	return nil
}

func (d *draft) warnOf(missing []string) {
	for _, p := range missing {
		d.rq.warn("Policy %q does not exist", p)
	}
}

func (d *draft) missingPolicies() (missing []string) {
	d.rq.api.store.View(func(m *fsm.Machine) {
		for _, p := range d.rec.Policies {
			if _, ok := m.Policy(p); !ok && p != policy.Root {
				missing = append(missing, p)
			}
		}
	})
	return missing
}

// matchesAny reports whether p is one of a list or matches one of the globs.
func matchesAny(p string, exact, globs []string) bool {
	return slices.Contains(exact, p) || slices.ContainsFunc(globs, func(g string) bool { return engine.Glob(g, p) })
}
