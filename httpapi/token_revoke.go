package httpapi

import (
	"net/http"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/token"
)

func revokeToken(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	if id == "" {
		return nil, errNoID
	}
	if err := rq.notBatch(id); err != nil {
		return nil, err
	}
	_, err := rq.propose(&fsm.RevokeToken{Caller: rq.asker(), Target: fsm.Target{Token: rq.hash(id)}})
	return nil, err
}

func revokeSelf(rq *request) (*response, error) {
	if rq.caller.Type == token.Batch {
		return nil, errBatchRevoked
	}
	_, err := rq.propose(&fsm.RevokeToken{Caller: rq.asker(), Target: fsm.Target{Token: rq.caller.Hash}})
	return nil, err
}

func revokeAccessor(rq *request) (*response, error) {
	a := rq.text("accessor")
	if a == "" {
		return nil, errNoAccessor
	}
	r, err := rq.propose(&fsm.RevokeToken{Caller: rq.asker(), Target: fsm.Target{Accessor: token.Accessor(a)}})
	return showRevokedAccessor(rq, &r, err)
}

func showRevokedAccessor(rq *request, r *fsm.Result, err error) (*response, error) {
	if err == nil && r.Count == 0 {
		rq.warn("No token found with this accessor")
	}
	return nil, err
}

func revokeOrphan(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	if id == "" {
		return nil, errNoID
	}
	if err := rq.notBatch(id); err != nil {
		return nil, err
	}
	r, err := rq.propose(&fsm.RevokeOrphan{Caller: rq.asker(), Target: fsm.Target{Token: rq.hash(id)}})
	return showRevokedOrphan(rq, &r, err)
}

func showRevokedOrphan(_ *request, _ *fsm.Result, err error) (*response, error) {
	return nil, asInvalid(err)
}

// tidy is accepted for the sake of scripts: the indexes are one structure with the tokens,
// and there is nothing to tidy.
func tidy(*request) (*response, error) {
	return &response{
		status:   http.StatusAccepted,
		warnings: []string{"Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs."},
	}, nil
}
