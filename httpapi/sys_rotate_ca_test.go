package httpapi

import (
	"testing"

	"github.com/tokengrove/grove/fsm"
)

func TestRotateCA(t *testing.T) {
	t.Parallel()
	f := &fakeTrust{}
	s := trusting(t, f)
	authorities := arr{obj{"fingerprint": "ab", "signs": true, "expire_time": "2030-03-17T17:46:40Z"}}
	s.get(rootID, "sys/grove/rotate-ca").want(200).is("data", obj{"rotating": false, "version": 0, "authorities": authorities, "waiting_for": arr{"n2"}})
	s.post(rootID, "sys/grove/rotate-ca", nil).want(200).is("data.rotating", true).is("data.version", 1)
	weak := s.with(`path "sys/grove/*" { capabilities = ["read", "update"] }`)
	s.get(weak, "sys/grove/rotate-ca").refused(403, "permission denied")
	s.post(weak, "sys/grove/rotate-ca", nil).refused(403, "permission denied")
	s.post("", "sys/grove/rotate-ca", nil).refused(403, "permission denied")
	s.delete(rootID, "sys/grove/rotate-ca").refused(405, "unsupported operation")
	if f.rotated != 1 {
		t.Errorf("rotated %d times, want once", f.rotated)
	}
	f.err = fsm.Errorf(fsm.Unavailable, "no leader")
	s.post(rootID, "sys/grove/rotate-ca", nil).refused(503, "no leader")
	s.get(rootID, "sys/grove/rotate-ca").refused(503, "no leader")
	for _, method := range []string{"GET", "POST"} {
		newServer(t).call(method, rootID, "sys/grove/rotate-ca", nil).refused(404, "unsupported path")
	}
}
