package approle

import (
	"context"
	"crypto/rand"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

type values = engine.Values

// world is a mount whose requests run one after the other.
type world struct {
	*testing.T
	store   storage.Store
	version uint64
	now     token.Instant
	from    string
	locked  map[string]bool
	fresh   *engine.Tx // of the last request
}

func newWorld(t *testing.T) *world {
	t.Parallel()
	return &world{T: t, now: token.InstantOf(time.Unix(1_800_000_000, 0)), from: "192.0.2.1:7", locked: map[string]bool{}}
}

func (w *world) request(path string, v values) *engine.Request {
	w.fresh = engine.NewTx(w.store)
	return &engine.Request{
		Storage: w.fresh, Path: path, Now: w.now, Values: v, Rand: rand.Reader, Client: engine.Client{Address: w.from},
		Mount:  engine.Mount{Path: "auth/ci/", DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour},
		Locked: func(alias string) bool { return w.locked[alias] },
	}
}

// do runs a request, and what it wrote if it was not refused.
func (w *world) do(op engine.Operation, path string, v values) (*engine.Response, error) {
	w.Helper()
	if v == nil {
		v = values{}
	}
	parts := strings.Split(path, "/")
	for _, p := range New().Paths() {
		pattern := strings.Split(p.Pattern, "/")
		if len(pattern) != len(parts) || p.Ops[op] == nil {
			continue
		}
		vars := values{}
		for i, s := range pattern {
			if strings.HasPrefix(s, "{") {
				vars[strings.Trim(s, "{}")] = parts[i]
			} else if s != parts[i] {
				vars = nil
				break
			}
		}
		if vars == nil {
			continue
		}
		for name, x := range v { // order: a map of them
			if _, ok := p.Fields[name]; ok {
				vars[name] = x
			}
		}
		rq := w.request(path, vars)
		rs, err := p.Ops[op](context.Background(), rq)
		if err == nil {
			w.commit(rq.Storage)
		}
		return rs, err
	}
	w.Fatalf("no handler %d of %q", op, path)
	return nil, nil
}

func (w *world) commit(tx *engine.Tx) {
	var c fsm.Transact
	tx.Into(&c)
	w.version++
	for _, x := range c.Writes {
		switch x.Kind {
		case fsm.WritePut:
			w.store = w.store.Put(x.Key, storage.Entry{Value: x.Value, Version: w.version})
		case fsm.WriteDelete:
			w.store = w.store.Delete(x.Key)
		case fsm.WriteDeletePrefix:
			w.store = w.store.DeletePrefix(x.Key)
		}
	}
}

// must is do that succeeds, and returns the data.
func (w *world) must(op engine.Operation, path string, v values) map[string]any {
	w.Helper()
	rs, err := w.do(op, path, v)
	if err != nil {
		w.Fatalf("%q %v: %v", path, v, err)
	}
	if rs == nil {
		return nil
	}
	return rs.Data
}

func (w *world) write(path string, v values) map[string]any {
	w.Helper()
	return w.must(engine.Write, path, v)
}

// refused wants an error of a code with a text in it.
func (w *world) refused(code fsm.Code, text string, op engine.Operation, path string, v values) {
	w.Helper()
	_, err := w.do(op, path, v)
	var e *fsm.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		w.Errorf("%q %v: got %v, want code %v with %q", path, v, err, code, text)
	}
}

// denied wants a login to be refused, and says whom it is counted against.
func (w *world) denied(v values) string {
	w.Helper()
	_, err := w.do(engine.Write, "login", v)
	var d *engine.Denied
	if !errors.As(err, &d) || d.Text != wrong {
		w.Fatalf("login %v: got %v, want %q", v, err, wrong)
	}
	return d.Alias
}

func (w *world) login(roleID, secretID string) *engine.Login {
	w.Helper()
	rs, err := w.do(engine.Write, "login", values{"role_id": roleID, "secret_id": secretID})
	if err != nil || rs.Login == nil {
		w.Fatalf("login: %v", err)
	}
	return rs.Login
}

// keys counts what is stored below a prefix.
func (w *world) keys(prefix string) (n int) {
	w.store.Walk(prefix, func(string, storage.Entry) bool { n++; return true })
	return n
}

func (w *world) is(data map[string]any, name string, want any) {
	w.Helper()
	if got := data[name]; !reflect.DeepEqual(got, want) {
		w.Errorf("%s is %#v, want %#v", name, got, want)
	}
}

// role makes a role r with role ID "rid" and returns a secret ID of it and its accessor.
func (w *world) role(v values) (id, accessor string) {
	w.Helper()
	v["role_id"] = "rid"
	w.write("role/r", v)
	data := w.write("role/r/secret-id", nil)
	return data["secret_id"].(string), data["secret_id_accessor"].(string)
}
