package httpapi

import (
	"github.com/tokengrove/grove/fsm"
)

var (
	lockedFields = schema{"mount_accessor": text}
	unlockFields = schema{"mount_accessor": text, "alias_identifier": text}
)

// listLockedUsers shows who is locked out because too many logins have failed.
func listLockedUsers(rq *request) (*response, error) {
	only := rq.text("mount_accessor")
	total := 0
	mounts := []any{}
	rq.api.store.View(func(m *fsm.Machine) {
		for _, mt := range m.Mounts() {
			if only != "" && mt.Accessor != only {
				continue
			}
			if names := m.LockedUsers(&mt, rq.now); len(names) > 0 {
				total += len(names)
				mounts = append(mounts, map[string]any{"mount_accessor": mt.Accessor, "counts": len(names), "alias_identifiers": names})
			}
		}
	})
	spaces := []any{}
	if total > 0 {
		spaces = append(spaces, map[string]any{"namespace_id": "root", "namespace_path": "", "counts": total, "mount_accessors": mounts})
	}
	return &response{data: map[string]any{"by_namespace": spaces, "total": total}, flat: true, mount: "system"}, nil
}

// unlockUser lets somebody try again.
func unlockUser(rq *request) (*response, error) {
	accessor := rq.text("mount_accessor")
	found := false
	c := &fsm.UnlockUser{Caller: rq.asker(), Alias: rq.text("alias_identifier")}
	rq.api.store.View(func(m *fsm.Machine) {
		mt, ok := m.MountByAccessor(accessor)
		c.UUID, found = mt.UUID, ok
	})
	if !found {
		return nil, invalid("no mount has the accessor %q", accessor)
	}
	_, err := rq.propose(c)
	return nil, err
}
