package httpapi

import (
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
)

// becomeBatch makes the draft one of a batch token, and refuses what such a token cannot have.
func (d *draft) becomeBatch() error {
	rq := d.rq
	for _, f := range []struct {
		name string
		set  func() (bool, error)
	}{
		{"explicit_max_ttl", func() (bool, error) { return rq.lasts("explicit_max_ttl") }},
		{"num_uses", func() (bool, error) {
			return rq.integer("num_uses") != 0 || d.role != nil && d.role.TokenNumUses != 0, nil
		}},
		{"period", func() (bool, error) { return rq.lasts("period") }},
		{"id", func() (bool, error) { return rq.text("id") != "", nil }},
	} {
		set, err := f.set()
		switch {
		case err != nil:
			return err
		case set:
			return invalid("batch tokens cannot have %q set", f.name)
		}
	}
	d.rec.Type = token.Batch
	return nil
}

// lasts reports whether a field is a duration other than nothing.
func (rq *request) lasts(name string) (bool, error) {
	d, err := positive(name, rq.text(name), parseDuration)
	return d != 0, err
}

// checkBatch refuses a batch token that nobody could ever take back.
func (d *draft) checkBatch() error {
	if d.rec.Type == token.Batch && d.rec.HasPolicy(policy.Root) {
		return invalid("batch tokens cannot be root tokens")
	}
	return nil
}

// issueBatch gives out the token. It takes no entry: the caller and what it may were found on a state that was fresh
// while this request was in work, and the token dies of whatever comes after that state.
func (d *draft) issueBatch() (*response, error) {
	rq, rec := d.rq, &d.rec
	if !rq.fresh {
		return nil, errStale
	}
	rq.capBatch(rec)
	rec.Renewable, rec.Created, rec.ExplicitMax, rec.Period = false, rq.now, 0, 0
	var parent token.Accessor
	if !rec.Orphan() {
		parent = rq.caller.Accessor
	}
	id, err := rq.issue(rec, parent, rq.point)
	if err != nil {
		return nil, err
	}
	d.warnOf(d.missingPolicies())
	rs := &response{auth: authOf(id, rec, rec.TTL), mount: "token"}
	if rq.keyed == nil {
		return rs, nil
	}
	rs = rq.fixed(rs)
	_, err = rq.propose(&fsm.IssueBatch{Caller: rq.asker(), Role: rec.Role, Policies: rec.Policies})
	return rs, err
}
