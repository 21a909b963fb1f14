// Package enginetest is a mount for the tests of login methods: requests run one after the other, on storage in memory.
package enginetest

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

// World is a mount of one method.
type World struct {
	*testing.T
	Method engine.Method
	Store  storage.Store
	Now    token.Instant
	From   string          // the client's address
	Locked map[string]bool // aliases
	Sealer engine.Sealer
	Last   *engine.Tx // of the last request

	version uint64
}

// New makes an empty mount, and lets the test run beside others.
func New(t *testing.T, m engine.Method) *World {
	t.Parallel()
	return &World{T: t, Method: m, Now: token.InstantOf(time.Unix(1_800_000_000, 0)), From: "192.0.2.1:7", Locked: map[string]bool{}, Sealer: NewSealer()}
}

// Request is one at path, before it runs.
func (w *World) Request(op engine.Operation, path string, v engine.Values) *engine.Request {
	w.Last = engine.NewTx(w.Store)
	return &engine.Request{
		Op: op, Storage: w.Last, Path: path, Now: w.Now, Values: v, Rand: rand.Reader, Client: engine.Client{Address: w.From}, Sealer: w.Sealer,
		Mount:  engine.Mount{Path: "auth/ci/", UUID: "mount-1", DefaultTTL: time.Hour, MaxTTL: 24 * time.Hour},
		Locked: func(alias string) bool { return w.Locked[alias] },
	}
}

// Do runs a request, and does what it wrote if it was not refused.
func (w *World) Do(op engine.Operation, path string, v engine.Values) (*engine.Response, error) {
	w.Helper()
	return w.DoIn(w.Context(), op, path, v)
}

// DoIn is Do with a context.
func (w *World) DoIn(ctx context.Context, op engine.Operation, path string, v engine.Values) (*engine.Response, error) {
	w.Helper()
	for _, p := range w.Method.Paths() {
		vars, ok := match(p.Pattern, path)
		if !ok || p.Ops[op] == nil {
			continue
		}
		for name, x := range v { // order: a map of them
			if _, ok := p.Fields[name]; ok {
				vars[name] = x
			}
		}
		rq := w.Request(op, path, vars)
		rs, err := p.Ops[op](ctx, rq)
		if err == nil {
			w.commit(rq.Storage)
		}
		return rs, err
	}
	w.Fatalf("no handler %d of %q", op, path)
	return nil, nil
}

// match finds the variables of a pattern.
func match(pattern, path string) (engine.Values, bool) {
	want, got := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil, false
	}
	vars := engine.Values{}
	for i, s := range want {
		if strings.HasPrefix(s, "{") {
			vars[strings.Trim(s, "{}")] = got[i]
		} else if s != got[i] {
			return nil, false
		}
	}
	return vars, true
}

func (w *World) commit(tx *engine.Tx) {
	var c fsm.Transact
	tx.Into(&c)
	w.version++
	for _, x := range c.Writes {
		switch x.Kind {
		case fsm.WritePut:
			w.Store = w.Store.Put(x.Key, storage.Entry{Value: x.Value, Version: w.version})
		case fsm.WriteDelete:
			w.Store = w.Store.Delete(x.Key)
		case fsm.WriteDeletePrefix:
			w.Store = w.Store.DeletePrefix(x.Key)
		}
	}
}

// Must is Do that succeeds, and returns the data.
func (w *World) Must(op engine.Operation, path string, v engine.Values) map[string]any {
	w.Helper()
	rs, err := w.Do(op, path, v)
	if err != nil {
		w.Fatalf("%q %v: %v", path, v, err)
	}
	if rs == nil {
		return nil
	}
	return rs.Data
}

// Write is Must of a write.
func (w *World) Write(path string, v engine.Values) map[string]any {
	w.Helper()
	return w.Must(engine.Write, path, v)
}

// Refused wants an error of a code with a text in it.
func (w *World) Refused(code fsm.Code, text string, op engine.Operation, path string, v engine.Values) {
	w.Helper()
	_, err := w.Do(op, path, v)
	w.Fails(code, text, err)
}

// Fails wants err to be of a code, with a text in it.
func (w *World) Fails(code fsm.Code, text string, err error) {
	w.Helper()
	var e *fsm.Error
	if !errors.As(err, &e) || e.Code != code || !strings.Contains(e.Message, text) {
		w.Errorf("got %v, want code %v with %q", err, code, text)
	}
}

// Login is a login at "login" that succeeds.
func (w *World) Login(v engine.Values) *engine.Login {
	w.Helper()
	rs, err := w.Do(engine.Write, "login", v)
	if err != nil || rs.Login == nil {
		w.Fatalf("login: %v", err)
	}
	return rs.Login
}

// Renew renews a token that a login has made.
func (w *World) Renew(l *engine.Login) (engine.Terms, error) {
	w.Helper()
	rec := &token.Record{Policies: l.Policies, Login: token.Login{Mount: "mount-1", Data: l.Data}}
	return w.Method.Renew(w.Context(), w.Request(engine.Write, "login", engine.Values{}), rec)
}

// Keys counts what is stored below a prefix.
func (w *World) Keys(prefix string) (n int) {
	w.Store.Walk(prefix, func(string, storage.Entry) bool { n++; return true })
	return n
}

// Is wants one of the data to be equal to something.
func (w *World) Is(data map[string]any, name string, want any) {
	w.Helper()
	if got := data[name]; !reflect.DeepEqual(got, want) {
		w.Errorf("%s is %#v, want %#v", name, got, want)
	}
}
