package audit

import (
	"bufio"
	"bytes"
	"encoding/json"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	table "github.com/tokengrove/grove/fsm/audit"
)

// opened makes a trail with some devices, and closes it at the end of the test.
func opened(t *testing.T, c Config, ds ...table.Device) *Trail {
	t.Helper()
	tr := New(c)
	use(tr, ds...)
	t.Cleanup(tr.Close)
	return tr
}

// use makes the devices of a trail those.
func use(tr *Trail, ds ...table.Device) {
	next := &table.Table{Headers: tr.Table().Headers}
	for _, d := range ds {
		next = next.With(d)
	}
	tr.Sync(func() *table.Table { return next })
}

// fileAt is a file device; options come in pairs.
func fileAt(path, file string, options ...string) table.Device {
	d := table.Device{Path: path, Type: "file", Options: map[string]string{"file_path": file}, Salt: table.Salt{1, 2, 3}}
	for i := 0; i < len(options); i += 2 {
		d.Options[options[i]] = options[i+1]
	}
	return d
}

func socketAt(path, network, address string, options ...string) table.Device {
	d := fileAt(path, "", options...)
	d.Type = "socket"
	delete(d.Options, "file_path")
	d.Options["address"], d.Options["socket_type"] = address, network
	return d
}

// sample is a record with something secret everywhere.
func sample(kind string) *Record {
	r := &Record{Entry: Entry{
		Type: kind,
		Auth: &Auth{ClientToken: "hvs.secret", Accessor: "the-accessor", DisplayName: "token", Policies: []string{"default"}, Metadata: map[string]string{"a": "b"}},
		Request: &Request{
			ID: "1", ClientToken: "hvs.secret", ClientTokenAccessor: "the-accessor", Operation: "update", Path: "auth/token/create",
			Data: map[string]any{"plain": "shown", "deep": map[string]any{"list": []any{"x", json.Number("7"), true, nil}}, "n": json.Number("3")},
		},
	}, Headers: map[string][]string{"X-Trace": {"one", "two"}, "X-Vault-Token": {"hvs.secret"}}, PlainRequest: []string{"plain"}}
	if kind == "response" {
		r.Response = &Response{
			Auth: &Auth{ClientToken: "hvs.new", Accessor: "new-accessor"}, Data: map[string]any{"keys": []any{"k1", "k2"}, "seen": "clear"},
			WrapInfo: &WrapInfo{Token: "hvs.wrap", Accessor: "wrap-accessor", WrappedAccessor: "new-accessor"},
		}
		r.PlainResponse = []string{"seen"}
	}
	return r
}

// entries decodes lines.
func entries(t *testing.T, b []byte) (out []map[string]any) {
	t.Helper()
	for sc := bufio.NewScanner(bytes.NewReader(b)); sc.Scan(); {
		var m map[string]any
		if err := json.Unmarshal(sc.Bytes(), &m); err != nil {
			t.Fatalf("line %q: %v", sc.Text(), err)
		}
		out = append(out, m)
	}
	return out
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// at finds a value in nested maps.
func at(m map[string]any, path ...string) any {
	var v any = m
	for _, k := range path {
		v = v.(map[string]any)[k]
	}
	return v
}

func mustWrite(t *testing.T, tr *Trail, r *Record) {
	t.Helper()
	if err := tr.Write(r); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for a condition.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("not in time: " + what)
		}
	}
}

// listen accepts connections and never reads from them, unless lines is asked for.
func listen(t *testing.T) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func tempFile(t *testing.T) string { return filepath.Join(t.TempDir(), "sub", "audit.log") }
