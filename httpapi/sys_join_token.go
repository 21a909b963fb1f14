package httpapi

import (
	"time"

	"github.com/tokengrove/grove/fsm"
)

// joinTTL is how long a join token lives unless the request says otherwise.
const joinTTL = time.Hour

var joinTokenFields = schema{"ttl": seconds}

// makeJoinToken makes a token that lets one node into the cluster. It is shown once, and
// stored as the hash of a key that is derived from it.
func makeJoinToken(rq *request) (*response, error) {
	if rq.api.cfg.Trust == nil {
		return nil, errUnsupported
	}
	ttl := joinTTL
	if rq.has("ttl") {
		ttl = rq.seconds("ttl")
	}
	text, hash, err := rq.api.cfg.Trust.MintJoinToken()
	if err != nil {
		return nil, err
	}
	if rq.keyed != nil {
		rq.keyed.memo.Text, rq.keyed.memo.TTL = text, ttl
	}
	r, err := rq.propose(&fsm.PutJoinToken{Caller: rq.asker(), Hash: hash, TTL: ttl})
	return showJoin(text, ttl, &r, err)
}

func showJoinToken(rq *request, r *fsm.Result, err error) (*response, error) {
	return showJoin(rq.keyed.memo.Text, rq.keyed.memo.TTL, r, err)
}

func showJoin(text string, ttl time.Duration, r *fsm.Result, err error) (*response, error) {
	if err != nil {
		return nil, err
	}
	return &response{data: map[string]any{
		"join_token": text, "ttl": wholeSeconds(ttl), "expire_time": r.At.Add(ttl).Time().Format(time.RFC3339Nano),
	}, mount: "system"}, nil
}
