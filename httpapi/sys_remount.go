package httpapi

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/tokengrove/grove/fsm"
)

var remountFields = schema{"from": text, "to": text}

// remount moves a mount. It is done when it is answered; the ID says what was done, so that every
// node can tell the status.
func remount(rq *request) (*response, error) {
	from, to := rq.text("from"), rq.text("to")
	for _, p := range []string{from, to} {
		if strings.Trim(p, "/") == "" {
			return nil, invalid("both 'from' and 'to' path must be specified as a string")
		}
	}
	from, to = strings.Trim(from, "/")+"/", strings.Trim(to, "/")+"/"
	rs := rq.fixed(&response{data: map[string]any{"migration_id": rq.migration(from, to)}, flat: true, mount: "system"})
	if _, err := rq.propose(&fsm.MoveMount{Caller: rq.asker(), From: from, To: to}); err != nil {
		return nil, err
	}
	return rs, nil
}

// migration is an ID that only this cluster makes.
func (rq *request) migration(from, to string) string {
	m := hmac.New(sha256.New, rq.identity.Salt[:])
	m.Write([]byte("migration\x00" + from + "\x00" + to))
	return base64.RawURLEncoding.EncodeToString(append(m.Sum(nil)[:12], from+"\x00"+to...))
}

func remountStatus(rq *request) (*response, error) {
	id := rq.text("migration_id")
	b, err := base64.RawURLEncoding.DecodeString(id)
	if err != nil || len(b) < 12 {
		return nil, errNotFound
	}
	from, to, _ := strings.Cut(string(b[12:]), "\x00")
	if !hmac.Equal([]byte(id), []byte(rq.migration(from, to))) {
		return nil, errNotFound
	}
	return &response{data: map[string]any{
		"migration_id": id, "migration_info": map[string]any{"source_mount": from, "target_mount": to, "status": "success"},
	}, flat: true, mount: "system"}, nil
}
