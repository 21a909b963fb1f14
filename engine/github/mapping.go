package github

import (
	"context"
	"strings"

	"github.com/tokengrove/grove/engine"
)

// mapping says which policies the members of something get.
type mapping string

const (
	teams mapping = "map/teams"
	users mapping = "map/users"
)

// entry is what is stored for one name.
type entry struct {
	Key   string `json:"key"` // as it was written
	Value string `json:"value"`
}

func (m mapping) paths() []engine.Path {
	return []engine.Path{
		{Pattern: string(m), Ops: ops{engine.List: m.list, engine.Read: m.list}},
		{Pattern: string(m) + "/{key}", Fields: engine.Fields{"value": engine.Strings}, Exists: m.exists, Ops: ops{engine.Read: m.read, engine.Write: m.write, engine.Delete: m.delete}},
	}
}

func (m mapping) key(name string) string { return string(m) + "/" + strings.ToLower(name) }

func (m mapping) exists(rq *engine.Request) bool {
	_, ok := rq.Storage.Find(m.key(rq.Text("key")))
	return ok
}

// list answers a read, too.
func (m mapping) list(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	names := rq.Storage.List(string(m) + "/")
	if rq.Op == engine.List {
		return &engine.Response{Keys: names}, nil
	}
	if len(names) == 0 {
		return nil, engine.ErrNotFound
	}
	return &engine.Response{Data: map[string]any{"keys": names}}, nil
}

func (m mapping) read(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	e := new(entry)
	ok, err := rq.Storage.Load(m.key(rq.Text("key")), e)
	if err == nil && !ok {
		err = engine.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	return &engine.Response{Data: map[string]any{"key": e.Key, "value": e.Value}}, nil
}

func (m mapping) write(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	name := rq.Text("key")
	return nil, rq.Storage.Save(m.key(name), entry{Key: name, Value: strings.Join(rq.Strings("value"), ",")})
}

func (m mapping) delete(_ context.Context, rq *engine.Request) (*engine.Response, error) {
	rq.Storage.Delete(m.key(rq.Text("key")))
	return nil, nil
}

// everybody is the name whose policies all members get.
const everybody = "default"

// policies are those of some names, and of everybody.
func (m mapping) policies(tx *engine.Tx, names ...string) ([]string, error) {
	var all []string
	for _, name := range append([]string{everybody}, names...) {
		var e entry
		if _, err := tx.Load(m.key(name), &e); err != nil {
			return nil, err
		}
		all = append(all, strings.Split(e.Value, ",")...)
	}
	return engine.ParsePolicies(all), nil
}
