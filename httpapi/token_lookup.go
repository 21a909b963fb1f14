package httpapi

import (
	"net/http"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

var (
	tokenField    = schema{"token": text}
	accessorField = schema{"accessor": text}
)

// tokenData is a token as lookups show it, in the reference's (alphabetic) order.
type tokenData struct {
	Accessor        token.Accessor    `json:"accessor"`
	BoundCIDRs      []string          `json:"bound_cidrs,omitempty"`
	CreationTime    int64             `json:"creation_time"`
	CreationTTL     int64             `json:"creation_ttl"`
	DisplayName     string            `json:"display_name"`
	EntityID        string            `json:"entity_id"`
	ExpireTime      *time.Time        `json:"expire_time"`
	ExplicitMaxTTL  int64             `json:"explicit_max_ttl"`
	ID              token.ID          `json:"id"`
	IssueTime       *time.Time        `json:"issue_time,omitempty"`
	LastRenewal     *time.Time        `json:"last_renewal,omitempty"`
	LastRenewalTime int64             `json:"last_renewal_time,omitempty"`
	Meta            map[string]string `json:"meta"`
	NumUses         uint32            `json:"num_uses"`
	Orphan          bool              `json:"orphan"`
	Path            string            `json:"path"`
	Period          int64             `json:"period,omitempty"`
	Policies        []string          `json:"policies"`
	Renewable       *bool             `json:"renewable,omitempty"`
	Role            string            `json:"role,omitempty"`
	TTL             int64             `json:"ttl"`
	Type            string            `json:"type"`
}

// rootPath is the source path of the first root token, which has no lease.
const rootPath = "auth/token/root"

// show renders a token. id is "" where the request did not know it.
func show(rec *token.Record, id token.ID, now token.Instant) *tokenData {
	d := &tokenData{
		Accessor: rec.Accessor, BoundCIDRs: rec.BoundCIDRs, CreationTime: rec.Created.Time().Unix(), CreationTTL: wholeSeconds(rec.TTL),
		DisplayName: rec.DisplayName, EntityID: rec.Login.Entity, ExplicitMaxTTL: wholeSeconds(rec.ExplicitMax), ID: id, Meta: rec.Meta, NumUses: rec.UsesLeft,
		Orphan: rec.Orphan(), Path: rec.Path, Period: wholeSeconds(rec.Period), Policies: orEmpty(rec.Policies), Role: rec.Role,
		TTL: until(rec.Deadline, now), Type: rec.Type.String(),
	}
	if rec.Path != rootPath {
		issued := rec.Created.Time()
		d.IssueTime, d.Renewable = &issued, &rec.Renewable
	}
	if rec.Deadline != 0 {
		expires := rec.Deadline.Time()
		d.ExpireTime = &expires
	}
	if rec.Renewed != 0 {
		renewed := rec.Renewed.Time()
		d.LastRenewal, d.LastRenewalTime = &renewed, renewed.Unix()
	}
	return d
}

func lookupSelf(rq *request) (*response, error) {
	rq.showsCaller()
	return &response{data: show(&rq.caller, rq.id, rq.now), mount: "token"}, nil
}

func lookupToken(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	if id == "" || id == rq.id {
		return lookupSelf(rq)
	}
	rec, ok, err := rq.named(id)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, fail(http.StatusForbidden, "bad token")
	}
	return &response{data: show(&rec, id, rq.now), mount: "token"}, nil
}

func lookupAccessor(rq *request) (*response, error) {
	rec, err := rq.findAccessor()
	if err != nil {
		return nil, err
	}
	if rec.Hash == rq.caller.Hash {
		rq.showsCaller()
	}
	return &response{data: show(&rec, "", rq.now), mount: "token"}, nil
}

// findAccessor looks up the token that the field accessor names.
func (rq *request) findAccessor() (token.Record, error) {
	a := rq.text("accessor")
	if a == "" {
		return token.Record{}, errNoAccessor
	}
	rec, ok := rq.find(fsm.Target{Accessor: token.Accessor(a)})
	if !ok {
		return rec, errWrongAccessor
	}
	return rec, nil
}

func listAccessors(rq *request) (*response, error) {
	var accessors []token.Accessor
	rq.api.store.View(func(m *fsm.Machine) { accessors = m.Accessors(rq.now) })
	return keys(accessors, "token")
}

// local is the wall clock as the machine counts.
func (a *api) local() token.Instant { return token.InstantOf(a.now()) }

// until is the time from now to a deadline in whole seconds, as lookups show it.
func until(deadline, now token.Instant) int64 {
	if deadline == 0 {
		return 0
	}
	return wholeSeconds(deadline.Time().Sub(now.Time().Round(time.Second)))
}
