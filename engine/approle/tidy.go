package approle

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"github.com/tokengrove/grove/engine"
)

const (
	tidyPage = 1024 // names looked at at once
	tidyMost = 1000 // secret IDs that one call deletes: a transaction is bounded
	sweepFew = 16   // secret IDs that making another one looks at
)

// tidy deletes secret IDs whose time has passed: they are of no use before that either, but take room.
func tidy(ctx context.Context, rq *engine.Request) (*engine.Response, error) {
	rs := &engine.Response{Status: http.StatusAccepted, Warnings: []string{
		"Tidy operation successfully started. Any information from the operation will be printed to Vault's server logs.",
	}}
	gone := 0
	err := pages(ctx, rq.Storage, "role/", func(name string) error {
		return pages(ctx, rq.Storage, "secret_id/"+name+"/", func(sum string) error {
			if gone >= tidyMost {
				return nil
			}
			dropped, err := dropExpired(rq, &role{name: name}, sum)
			if dropped {
				gone++
			}
			return err
		})
	})
	if gone >= tidyMost {
		rs.Warnings = append(rs.Warnings, fmt.Sprintf("%d expired secret IDs were deleted, which is the most that one call does: there may be more", gone))
	}
	return rs, err
}

// pages visits the names below a prefix, as they are now; what changes meanwhile matters to nobody.
func pages(ctx context.Context, tx *engine.Tx, prefix string, visit func(name string) error) error {
	for after := ""; ; {
		names := tx.Names(prefix, after, tidyPage)
		for _, name := range names {
			if err := visit(name); err != nil {
				return err
			}
		}
		if len(names) < tidyPage {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		after = names[len(names)-1]
	}
}

// sweep deletes what has expired among a few of the role's secret IDs, anywhere among them: whoever makes
// many that expire leaves at most one in sixteen lying about, in the long run, and need not tidy.
func (r *role) sweep(rq *engine.Request) error {
	var from [4]byte
	if _, err := io.ReadFull(rq.Rand, from[:]); err != nil {
		return fmt.Errorf("random bytes: %w", err)
	}
	for _, sum := range rq.Storage.Names("secret_id/"+r.name+"/", hex.EncodeToString(from[:]), sweepFew) {
		if _, err := dropExpired(rq, r, sum); err != nil {
			return err
		}
	}
	return nil
}

// dropExpired deletes a secret ID if its time has passed. The transaction relies on those alone, which
// nobody changes any more.
func dropExpired(rq *engine.Request, r *role, sum string) (bool, error) {
	key := r.secretKey(sum)
	b, ok := rq.Storage.Peek(key)
	if !ok {
		return false, nil
	}
	var s secret
	if err := json.Unmarshal(b, &s); err != nil {
		return false, fmt.Errorf("what is stored at %q: %w", key, err)
	}
	if !s.expired(rq.Now) {
		return false, nil
	}
	rq.Storage.Find(key)
	r.drop(rq.Storage, sum, &s)
	return true, nil
}
