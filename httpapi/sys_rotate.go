package httpapi

import (
	"time"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/keyring"
)

var rotateFields = schema{"enabled": boolean, "interval": seconds, "max_operations": integer}

// errNoKeys refuses what needs a keyring on a node without one.
var errNoKeys = fsm.Errorf(fsm.Unavailable, "this node has no keyring")

// ring returns the keyring of the local replica.
func (a *api) ring() (r *keyring.Ring) {
	a.store.View(func(m *fsm.Machine) { r = m.Keyring() })
	return r
}

// keyStatus shows the newest data key. What is encrypted with it is not counted: no number of operations wears
// it out.
func keyStatus(rq *request) (*response, error) {
	k := rq.api.ring().Last()
	if k.Term == 0 {
		return nil, fsm.Errorf(fsm.Unavailable, "the keyring of this cluster is not made yet")
	}
	return &response{data: map[string]any{
		"term": k.Term, "install_time": k.Installed.Time().Format(time.RFC3339Nano), "encryptions": 0,
	}, flat: true, mount: "system"}, nil
}

// rotateKey adds a data key, with which everything is sealed from then on. Older ones open what was sealed before.
func rotateKey(rq *request) (*response, error) {
	if rq.api.cfg.Keys == nil {
		return nil, errNoKeys
	}
	k, err := rq.api.cfg.Keys.Mint()
	if err != nil {
		return nil, err
	}
	_, err = rq.propose(&fsm.AddKey{Caller: rq.asker(), Key: k})
	return nil, err
}

func readRotation(rq *request) (*response, error) {
	r := rq.api.ring().Rotation
	data := map[string]any{"enabled": !r.Disabled, "interval": 0, "max_operations": r.Limit()}
	if r.Interval > 0 {
		data["interval"] = r.Interval.String()
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}

// writeRotation changes the fields that are sent.
func writeRotation(rq *request) (*response, error) {
	disabled := !rq.boolean("enabled")
	c := &fsm.PutKeyRotation{Caller: rq.asker(), Interval: sent(rq, "interval", rq.seconds)}
	if rq.has("enabled") {
		c.Disabled = &disabled
	}
	if rq.has("max_operations") {
		n := rq.integer("max_operations")
		if n == 0 {
			return nil, invalid("max_operations must be in the range [%d,%d]", keyring.MinOperations, keyring.MaxOperations)
		}
		c.Operations = &n
	}
	_, err := rq.propose(c)
	return nil, err
}
