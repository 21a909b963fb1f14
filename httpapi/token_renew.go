package httpapi

import (
	"errors"
	"net/http"
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

var (
	renewFields         = schema{"token": text, "increment": seconds}
	renewAccessorFields = schema{"accessor": text, "increment": seconds}
)

func renewToken(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	if id == "" {
		return nil, errNoID
	}
	rec, ok, err := rq.named(id)
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, invalid("token not found")
	}
	return rq.renew(id, &rec)
}

func renewSelf(rq *request) (*response, error) { return rq.renew(rq.id, &rq.caller) }

func renewAccessor(rq *request) (*response, error) {
	rec, err := rq.findAccessor()
	if err != nil {
		return nil, err
	}
	return rq.renew("", &rec)
}

// renew renews a token by the field increment.
func (rq *request) renew(id token.ID, rec *token.Record) (*response, error) {
	switch {
	case rec.Type == token.Batch:
		return nil, errBatchRenewed
	case !rec.Login.IsZero():
		return rq.renewLogin(id, rec)
	}
	c := &fsm.RenewToken{Caller: rq.asker(), Target: fsm.Target{Token: rec.Hash}, Increment: rq.seconds("increment")}
	c.DefaultTTL, c.MaxTTL = rq.ttls(tokenMount)
	period := rec.Period
	if rec.Role != "" {
		if err := rq.byRole(c, rec); err != nil {
			return nil, err
		}
		period = c.Period
	}
	if period <= shortest(c.MaxTTL, c.ExplicitMax, rec.ExplicitMax) {
		period = 0
	}
	if rq.keyed != nil {
		rq.keyed.memo.ID, rq.keyed.memo.Period = id, period
	}
	r, err := rq.propose(c)
	return rq.showRenewal(id, period, &r, err)
}

// showRenewal shows a renewed token. period is that which may have been capped, 0 if it was not.
func (rq *request) showRenewal(id token.ID, period time.Duration, r *fsm.Result, err error) (*response, error) {
	if err != nil {
		return nil, asInvalid(err)
	}
	rq.warnCapped(r.Asked, r.Max, period > 0 && r.Asked == period)
	return &response{auth: authOf(id, r.Token, r.Granted), mount: "token"}, nil
}

func showRenewed(rq *request, r *fsm.Result, err error) (*response, error) {
	return rq.showRenewal(rq.keyed.memo.ID, rq.keyed.memo.Period, r, err)
}

// byRole gives c the period and maximum of the token's role as it is now; the token's own
// period holds if it is shorter, so that it never lives longer than it was issued for.
func (rq *request) byRole(c *fsm.RenewToken, rec *token.Record) error {
	ro, ok := rq.role(rec.Role)
	if !ok {
		return invalid("original token role %q could not be found, not renewing", rec.Role)
	}
	c.Period, c.ExplicitMax = ro.period(), ro.explicitMax()
	if rec.Period > 0 && (c.Period == 0 || rec.Period < c.Period) {
		c.Period = rec.Period
	}
	return nil
}

// errNoID refuses a request that names no token.
var errNoID = fail(http.StatusBadRequest, "missing token ID")

// asInvalid turns "not found" by apply into the 400 that the reference gives.
func asInvalid(err error) error {
	var e *fsm.Error
	if errors.As(err, &e) && e.Code == fsm.NotFound {
		return fail(http.StatusBadRequest, e.Message)
	}
	return err
}

// shortest returns the smallest of some maxima, of which 0 means none.
func shortest(maxima ...time.Duration) time.Duration {
	var d time.Duration
	for _, m := range maxima {
		if m > 0 && (d == 0 || m < d) {
			d = m
		}
	}
	return d
}
