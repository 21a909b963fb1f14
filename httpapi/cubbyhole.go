package httpapi

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

// cubbyholePath is below which every token has its own entries.
const cubbyholePath = "cubbyhole/"

// cubbyhole seals and opens what a token keeps.
func (rq *request) cubbyhole(id token.ID) (*box, error) {
	return newBox(id, rq.identity.Salt, "cubbyhole", rq.api.cfg.Rand)
}

// held returns what the caller keeps, sealed.
func (rq *request) held() (storage.Store, error) {
	var s storage.Store
	if rq.caller.Type == token.Batch {
		return s, errBatchCubbyhole
	}
	var alive bool
	rq.api.store.View(func(m *fsm.Machine) { s, alive = m.Cubbyhole(rq.caller.Hash, rq.now) })
	if !alive {
		return s, errBadToken
	}
	return s, nil
}

// entry is the name of the entry that the path is about. All fields of the body are data, also one
// that is called as a variable of the path.
func (rq *request) entry() string {
	rq.ignored, rq.replaced = nil, nil
	return strings.TrimPrefix(rq.path, cubbyholePath)
}

// cubbyholeEntryExists tells a create from an update.
func cubbyholeEntryExists(rq *request, m *fsm.Machine) bool {
	s, _ := m.Cubbyhole(rq.caller.Hash, rq.now)
	return s.Find(strings.TrimPrefix(rq.path, cubbyholePath)).Version != 0
}

func writeCubbyhole(rq *request) (*response, error) {
	name := rq.entry()
	switch {
	case rq.caller.Type == token.Batch:
		return nil, errBatchCubbyhole
	case len(rq.raw) == 0:
		return nil, invalid("missing data fields")
	case name == "":
		return nil, invalid("missing path")
	}
	plain, err := json.Marshal(rq.raw)
	if err != nil {
		return nil, fmt.Errorf("encoding an entry: %w", err)
	}
	b, err := rq.cubbyhole(rq.id)
	if err != nil {
		return nil, err
	}
	sealed, err := b.seal(plain, name)
	if err != nil {
		return nil, err
	}
	_, err = rq.propose(&fsm.WriteCubbyhole{Caller: rq.asker(), Path: name, Value: sealed, Replaces: rq.replaces})
	return nil, err
}

func readCubbyhole(rq *request) (*response, error) {
	name := rq.entry()
	s, err := rq.held()
	if err != nil {
		return nil, err
	}
	e := s.Find(name)
	if e.Version == 0 {
		return nil, errNotFound
	}
	b, err := rq.cubbyhole(rq.id)
	if err != nil {
		return nil, err
	}
	plain, err := b.open(e.Value, name)
	if err != nil {
		return nil, fmt.Errorf("entry of a cubbyhole: %w", err)
	}
	data, err := readJSON(plain)
	if err != nil {
		return nil, fmt.Errorf("entry of a cubbyhole: %w", err)
	}
	return &response{data: data, mount: "cubbyhole"}, nil
}

func listCubbyhole(rq *request) (*response, error) {
	s, err := rq.held()
	if err != nil {
		return nil, err
	}
	return keys(s.List(rq.entry(), "", math.MaxInt), "cubbyhole")
}

func deleteCubbyhole(rq *request) (*response, error) {
	name := rq.entry()
	switch {
	case rq.caller.Type == token.Batch:
		return nil, errBatchCubbyhole
	case name == "":
		return nil, invalid("missing path")
	}
	_, err := rq.propose(&fsm.DeleteCubbyhole{Caller: rq.asker(), Path: name})
	return nil, err
}
