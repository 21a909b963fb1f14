package httpapi

import (
	"time"

	"github.com/tokengrove/grove/fsm"
)

// rotateCA starts to replace the authority of the cluster's links, and says how far that is.
func rotateCA(rq *request) (*response, error) {
	if rq.api.cfg.Trust == nil {
		return nil, errUnsupported
	}
	if err := rq.api.cfg.Trust.RotateCA(rq.ctx); err != nil {
		return nil, err
	}
	return readCA(rq)
}

// readCA says which authorities the nodes believe, and whom a rotation waits for.
func readCA(rq *request) (*response, error) {
	if rq.api.cfg.Trust == nil {
		return nil, errUnsupported
	}
	st, err := rq.api.cfg.Trust.TrustStatus(rq.ctx)
	if err != nil {
		return nil, err
	}
	return &response{data: trustData(st), mount: "system"}, nil
}

func trustData(st fsm.TrustStatus) map[string]any {
	authorities := []map[string]any{}
	for _, a := range st.Authorities {
		authorities = append(authorities, map[string]any{"fingerprint": a.Fingerprint, "signs": a.Signs, "expire_time": a.End.UTC().Format(time.RFC3339)})
	}
	return map[string]any{"rotating": st.Rotating, "version": st.Version, "authorities": authorities, "waiting_for": orEmpty(st.Waiting)}
}
