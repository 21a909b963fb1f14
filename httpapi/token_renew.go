package httpapi

import (
	"errors"
	"net/http"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

var renewFields = schema{"token": text, "accessor": text, "increment": seconds, "format": text}

func renewToken(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	if id == "" {
		return nil, invalid("missing token ID")
	}
	rec, ok := rq.find(fsm.Target{Token: rq.hash(id)})
	if !ok {
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

func (rq *request) renew(id token.ID, rec *token.Record) (*response, error) {
	r, err := rq.proposeRenewal(rec)
	if err != nil {
		return nil, err
	}
	return &response{auth: authOf(id, r.Token, r.Granted), mount: "token"}, nil
}

// proposeRenewal renews a token by the field increment.
func (rq *request) proposeRenewal(rec *token.Record) (fsm.Result, error) {
	c := &fsm.RenewToken{Caller: rq.asker(), Target: fsm.Target{Token: rec.Hash}, Increment: max(0, rq.seconds("increment"))}
	c.DefaultTTL, c.MaxTTL = rq.ttls("auth/token/")
	if rec.Role != "" {
		known := false
		rq.api.store.View(func(m *fsm.Machine) {
			if ro, ok := m.Role(rec.Role); ok {
				known = true
				c.Period, c.ExplicitMax = either(ro.TokenPeriod, ro.Period), either(ro.TokenExplicitMaxTTL, ro.ExplicitMaxTTL)
			}
		})
		if !known {
			return fsm.Result{}, invalid("original token role %q could not be found, not renewing", rec.Role)
		}
		if rec.Period > 0 && (c.Period == 0 || rec.Period < c.Period) {
			c.Period = rec.Period
		}
	}
	r, err := rq.propose(c)
	if err != nil {
		return r, asInvalid(err)
	}
	rq.warnCapped(r.Asked, r.Max, false)
	return r, nil
}

// asInvalid turns "not found" by apply into the 400 that the reference gives.
func asInvalid(err error) error {
	var e *fsm.Error
	if errors.As(err, &e) && e.Code == fsm.NotFound {
		return fail(http.StatusBadRequest, e.Message)
	}
	return err
}
