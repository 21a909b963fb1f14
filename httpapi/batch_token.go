package httpapi

import (
	"encoding/base64"
	"errors"
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/ban"
	"github.com/tokengrove/grove/fsm/token"
)

// batchPlace is what the text of a batch token is bound to.
var batchPlace = []byte("batch token")

var (
	errBatchChildren  = invalid("batch tokens cannot create more tokens")
	errBatchRenewed   = invalid("batch tokens cannot be renewed")
	errBatchRevoked   = invalid("batch tokens cannot be revoked")
	errBatchLease     = invalid("batch tokens cannot have leases here: a lease ends with its token, which must be stored; ask with a service token")
	errBatchCubbyhole = invalid(`cubbyhole operations are only supported by "service" type tokens`)
	errBatchKey       = invalid("header Idempotency-Key: nothing is remembered for a batch token, which is stored nowhere: send the request without a key, or with a service token")
)

// batchText is how the sealed text of a batch token is written: without padding, and in one way only.
var batchText = base64.RawURLEncoding.Strict()

// maxBatchID bounds the ID of a batch token: what is sealed adds less than 100 bytes.
var maxBatchID = len(token.BatchPrefix) + batchText.EncodedLen(fsm.MaxBatchBytes+100)

// isBatch reports whether an ID is that of a batch token, good or not.
func isBatch(id token.ID) bool { return strings.HasPrefix(string(id), token.BatchPrefix) }

// openBatch returns what a batch token says of itself; nil: id is none of this cluster. An error says that this node cannot
// tell.
func (a *api) openBatch(id token.ID) (*fsm.BatchToken, error) {
	text, ok := strings.CutPrefix(string(id), token.BatchPrefix)
	if !ok || a.cfg.Keys == nil || len(id) > maxBatchID {
		return nil, nil
	}
	sealed, err := batchText.DecodeString(text)
	if err != nil {
		return nil, nil
	}
	plain, err := a.cfg.Keys.Open(sealed, batchPlace)
	if err != nil {
		var e *fsm.Error
		if errors.As(err, &e) {
			return nil, e
		}
		return nil, nil
	}
	return fsm.DecodeBatchToken(plain)
}

// openOwn opens the token that the request brings, if it is a batch token.
func (rq *request) openOwn() error {
	if rq.batch != nil || !isBatch(rq.id) {
		return nil
	}
	var err error
	rq.batch, err = rq.api.openBatch(rq.id)
	return err
}

// identify finds the caller.
func (rq *request) identify(m *fsm.Machine) (token.Record, bool) {
	if rq.batch == nil {
		return m.Lookup(rq.hash(rq.id), rq.now)
	}
	if !m.BatchAlive(rq.batch, rq.now) {
		return token.Record{}, false
	}
	return rq.batch.Record(rq.hash(rq.id)), true
}

// named finds the token whose ID a request names, as find does.
func (rq *request) named(id token.ID) (rec token.Record, ok bool, err error) {
	if !isBatch(id) {
		rec, ok = rq.find(fsm.Target{Token: rq.hash(id)})
		return rec, ok, nil
	}
	b, err := rq.api.openBatch(id)
	if b == nil || err != nil {
		return rec, false, err
	}
	rq.api.store.View(func(m *fsm.Machine) { ok = m.BatchAlive(b, rq.now) })
	return b.Record(rq.hash(id)), ok, nil
}

// notBatch refuses to revoke a batch token: it is stored nowhere, and lives until its deadline or its parent's death.
func (rq *request) notBatch(id token.ID) error {
	b, err := rq.api.openBatch(id)
	if err == nil && b != nil {
		err = errBatchRevoked
	}
	return err
}

// issue makes the ID of a batch token: what rec says, sealed. at is the state on which it is issued; what is revoked
// later kills it.
func (rq *request) issue(rec *token.Record, parent token.Accessor, at ban.Point) (token.ID, error) {
	if rq.api.cfg.Keys == nil {
		return "", errNoKeys
	}
	plain, err := fsm.EncodeBatchToken(&fsm.BatchToken{
		Parent: parent, Policies: rec.Policies, Path: rec.Path, DisplayName: rec.DisplayName, Meta: rec.Meta, BoundCIDRs: rec.BoundCIDRs,
		Created: rec.Created, TTL: rec.TTL, Role: rec.Role, Issued: at, Login: rec.Login,
	})
	if err != nil {
		return "", err
	}
	sealed, err := rq.api.cfg.Keys.Seal(plain, batchPlace)
	if err != nil {
		return "", err
	}
	return token.ID(token.BatchPrefix + batchText.EncodeToString(sealed)), nil
}

// capBatch shortens a life to what a batch token may have.
func (rq *request) capBatch(rec *token.Record) {
	if rec.TTL > fsm.MaxBatchTTL {
		rq.warnCapped(rec.TTL, fsm.MaxBatchTTL, false)
		rec.TTL = fsm.MaxBatchTTL
	}
}
