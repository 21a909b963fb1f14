package approle

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/fsm/token"
)

func TestLogin(t *testing.T) {
	w := newWorld(t)
	id, _ := w.role(values{"token_policies": []string{"p"}, "token_ttl": time.Minute})
	l := w.login(" rid ", " "+id+" ")
	if l.Alias != "rid" || l.Data != "r" || l.Metadata["role_name"] != "r" || l.TTL != time.Minute || l.DisplayName != "" {
		t.Errorf("logged in as %+v", l)
	}
	for name, v := range map[string]values{
		"wrong secret": {"role_id": "rid", "secret_id": "no"}, "nobody": {"role_id": "none", "secret_id": id}, "another's": {"role_id": "RID", "secret_id": id},
	} {
		if alias := w.denied(v); alias != v.Text("role_id") {
			t.Errorf("%s: counted against %q", name, alias)
		}
	}
	if alias := w.denied(values{"role_id": strings.Repeat("x", 513), "secret_id": id}); alias != "" {
		t.Errorf("a name of 513 bytes is counted")
	}
	for _, role := range []string{"rid", "none"} {
		w.Refused(fsm.Invalid, "missing secret_id", engine.Write, "login", values{"role_id": role, "secret_id": " "})
	}
	w.Refused(fsm.Invalid, "missing role_id", engine.Write, "login", values{"secret_id": id})
	w.Locked["rid"] = true
	w.Refused(fsm.Forbidden, "permission denied", engine.Write, "login", values{"role_id": "rid", "secret_id": id})
}

func TestNoSecretIDIsStored(t *testing.T) {
	w := newWorld(t)
	id, _ := w.role(values{"secret_id_num_uses": int64(9)})
	w.Write("role/r/custom-secret-id", values{"secret_id": "chosen-by-hand"})
	w.login("rid", id)
	w.Store.Walk("", func(key string, e storage.Entry) bool {
		for _, secret := range []string{id, "chosen-by-hand"} {
			if strings.Contains(key+string(e.Value), secret) {
				t.Errorf("%q holds a secret ID", key)
			}
		}
		return true
	})
}

func TestUsesOfASecretID(t *testing.T) {
	w := newWorld(t)
	id, accessor := w.role(values{"secret_id_num_uses": int64(2)})
	at := w.Now
	w.Now = w.Now.Add(time.Second)
	w.login("rid", id)
	data := w.Write("role/r/secret-id/lookup", values{"secret_id": id})
	w.Is(data, "secret_id_num_uses", uint32(1))
	w.Is(data, "creation_time", at.Time().Format(time.RFC3339Nano))
	w.Is(data, "last_updated_time", w.Now.Time().Format(time.RFC3339Nano))
	w.Is(data, "expiration_time", "0001-01-01T00:00:00Z")
	w.login("rid", id)
	w.denied(values{"role_id": "rid", "secret_id": id})
	w.Refused(fsm.NotFound, accessor, engine.Write, "role/r/secret-id-accessor/lookup", values{"secret_id_accessor": accessor})
	if n := w.Keys("secret_id/") + w.Keys("accessor/"); n != 0 {
		t.Errorf("%d keys are left of a used up secret ID", n)
	}
}

// TestALoginReliesOnWhatItRead: apply refuses it if the role or the secret ID has changed.
func TestALoginReliesOnWhatItRead(t *testing.T) {
	w := newWorld(t)
	id, _ := w.role(values{"secret_id_num_uses": int64(1)})
	before := w.Store
	w.login("rid", id)
	tx := w.Last
	if !tx.Holds(before) || tx.Holds(w.Store) {
		t.Error("a second login with the same state would be let through")
	}
	w.Store = before
	w.Write("role/r", values{"token_policies": []string{"x"}})
	if tx.Holds(w.Store) {
		t.Error("a login would be let through by a role that has changed")
	}
}

func TestExpiry(t *testing.T) {
	w := newWorld(t)
	id, accessor := w.role(values{"secret_id_ttl": time.Minute})
	w.Now = w.Now.Add(time.Minute - 1)
	w.login("rid", id)
	w.Now++
	w.denied(values{"role_id": "rid", "secret_id": id})
	if data := w.Write("role/r/secret-id/lookup", values{"secret_id": id}); data != nil {
		t.Errorf("a lookup finds %v", data)
	}
	w.Refused(fsm.NotFound, accessor, engine.Write, "role/r/secret-id-accessor/destroy", values{"secret_id_accessor": accessor})
	w.Write("role/r/custom-secret-id", values{"secret_id": id})
	w.login("rid", id)
	if n := w.Keys("accessor/"); n != 1 {
		t.Errorf("%d accessors, want that of the new one", n)
	}
	w.Write("role/r", values{"secret_id_ttl": 48 * time.Hour})
	w.Is(w.Write("role/r/secret-id", nil), "secret_id_ttl", int64(24*3600)) // what the mount allows
}

func TestTidy(t *testing.T) {
	w := newWorld(t)
	w.role(values{})
	kept := w.Write("role/r/secret-id", values{"ttl": time.Hour})["secret_id"].(string)
	for range tidyMost + 5 {
		w.Write("role/r/secret-id", values{"ttl": time.Minute})
	}
	w.Now = w.Now.Add(time.Minute)
	for i, want := range []int{7, 2} {
		rs, err := w.Do(engine.Write, "tidy/secret-id", nil)
		if err != nil || rs.Status != 202 || len(rs.Warnings) != 2-i {
			t.Fatalf("tidy: %+v %v", rs, err)
		}
		if n := w.Keys("secret_id/"); n != want || w.Keys("accessor/") != want {
			t.Errorf("%d secret IDs and %d accessors are left, want %d", n, w.Keys("accessor/"), want)
		}
	}
	w.login("rid", kept)
	w.Write("role/r/secret-id", values{"ttl": time.Second})
	w.Now = w.Now.Add(time.Second)
	before := w.Store
	w.Write("tidy/secret-id", nil)
	tx := w.Last
	w.Store = before
	w.Write("role/r", values{"secret_id_num_uses": int64(5)})
	if !tx.Written() || !tx.Holds(w.Store) {
		t.Error("a tidy conflicts with what it does not delete")
	}
}

// TestExpiredOnesAreSweptUp: without any tidy, what has expired does not pile up.
func TestExpiredOnesAreSweptUp(t *testing.T) {
	w := newWorld(t)
	w.role(values{"secret_id_ttl": time.Second})
	for range 2000 {
		w.Now = w.Now.Add(2 * time.Second)
		w.Write("role/r/secret-id", nil)
	}
	if n := w.Keys("secret_id/"); n > 200 || n != w.Keys("accessor/") {
		t.Errorf("%d of 2000 secret IDs are still there, with %d accessors", n, w.Keys("accessor/"))
	}
}

func TestWhereFrom(t *testing.T) {
	w := newWorld(t)
	w.role(values{"secret_id_bound_cidrs": []string{"192.0.2.0/24"}, "token_bound_cidrs": []string{"10.0.0.0/8"}, "secret_id_num_uses": int64(1)})
	w.Refused(fsm.Invalid, "failed to verify subset", engine.Write, "role/r/secret-id", values{"cidr_list": []string{"198.51.100.0/24"}})
	w.Refused(fsm.Invalid, "failed to verify subset", engine.Write, "role/r/secret-id", values{"cidr_list": []string{"192.0.0.0/16"}})
	w.Refused(fsm.Invalid, "failed to verify subset", engine.Write, "role/r/secret-id", values{"token_bound_cidrs": []string{"11.0.0.1/32"}})
	w.Refused(fsm.Invalid, "failed to validate CIDR blocks", engine.Write, "role/r/secret-id", values{"cidr_list": []string{"nonsense"}})
	id := w.Write("role/r/secret-id", values{"cidr_list": []string{"192.0.2.8/29"}, "token_bound_cidrs": []string{"10.1.0.0/16"}})["secret_id"].(string)
	who := values{"role_id": "rid", "secret_id": id}
	w.Refused(fsm.Invalid, `source address "192.0.2.1" unauthorized by CIDR restrictions on the secret ID`, engine.Write, "login", who)
	w.From = "192.0.2.9:1"
	if l := w.login("rid", id); len(l.BoundCIDRs) != 1 || l.BoundCIDRs[0] != "10.1.0.0/16" { // the use was not taken before
		t.Errorf("the token is bound to %v", l.BoundCIDRs)
	}
	w.Write("role/r/bind-secret-id", values{"bind_secret_id": false})
	w.login("rid", "")
	w.Refused(fsm.Invalid, "bind_secret_id is not set", engine.Write, "role/r/secret-id", nil)
	w.From = "203.0.113.1:1"
	w.Refused(fsm.Invalid, "restrictions on the role", engine.Write, "login", values{"role_id": "rid"})
}

func TestRoles(t *testing.T) {
	w := newWorld(t)
	id, _ := w.role(values{"policies": []string{"B", "a"}, "period": time.Minute, "local_secret_ids": true})
	data := w.Must(engine.Read, "role/R", nil)
	w.Is(data, "policies", []string{"a", "b"})
	w.Is(data, "token_policies", []string{"a", "b"})
	w.Is(data, "period", int64(60))
	w.Is(data, "local_secret_ids", true)
	w.Is(data, "bind_secret_id", true)
	for text, v := range map[string]values{
		"can only be modified during role creation":                  {"local_secret_ids": false},
		"'token_ttl' cannot be greater than 'token_max_ttl'":         {"token_ttl": 2 * time.Second, "token_max_ttl": time.Second},
		"secret_id_num_uses cannot be negative":                      {"secret_id_num_uses": int64(-1)},
		"at most 2147483647 uses":                                    {"secret_id_num_uses": int64(1 << 31)},
		"at least one constraint":                                    {"bind_secret_id": false},
		"failed to validate CIDR blocks":                             {"bound_cidr_list": []string{"x"}},
		"invalid role_id supplied":                                   {"role_id": " "},
		"at most 512 bytes":                                          {"role_id": strings.Repeat("x", 513)},
		`period of "48h0m0s" is greater than the backend's maximum`:  {"token_period": 48 * time.Hour},
		"invalid 'token_type' value":                                 {"token_type": "nonsense"},
		"cannot be 'batch' or 'default-batch' when set to generate ": {"token_type": "batch"},
	} {
		w.Refused(fsm.Invalid, text, engine.Write, "role/r", v)
	}
	w.Refused(fsm.Invalid, "role_id already in use", engine.Write, "role/other", values{"role_id": "rid"})
	w.Write("role/r", values{"role_id": "rid2"})
	w.denied(values{"role_id": "rid", "secret_id": id})
	w.login("rid2", id)
	w.Write("role/other", values{"role_id": "rid"})
	w.Must(engine.Delete, "role/r", nil)
	w.Must(engine.Delete, "role/r", nil)
	w.Refused(fsm.NotFound, "", engine.Read, "role/r", nil)
	if n := w.Keys("secret_id/") + w.Keys("accessor/"); n != 0 || w.Keys("role_id/") != 1 {
		t.Errorf("%d keys of secret IDs and %d of role IDs are left", n, w.Keys("role_id/"))
	}
	if rs, _ := w.Do(engine.Write, "role/r", values{"token_max_ttl": 48 * time.Hour}); len(rs.Warnings) != 1 {
		t.Errorf("a token_max_ttl above the mount's is answered with %v", rs.Warnings)
	}
}

func TestSubPaths(t *testing.T) {
	w := newWorld(t)
	w.role(values{})
	for _, c := range []struct {
		path, field  string
		value, shown any
		reset        any
	}{
		{"bind-secret-id", "bind_secret_id", true, true, true},
		{"secret-id-bound-cidrs", "secret_id_bound_cidrs", []string{"10.0.0.0/8"}, []string{"10.0.0.0/8"}, []string(nil)},
		{"bound-cidr-list", "bound_cidr_list", []string{"10.0.0.1"}, []string{"10.0.0.1"}, []string(nil)},
		{"secret-id-num-uses", "secret_id_num_uses", int64(3), uint32(3), uint32(0)},
		{"secret-id-ttl", "secret_id_ttl", time.Minute, int64(60), int64(0)},
		{"policies", "token_policies", []string{"x"}, []string{"x"}, []string{}},
		{"policies", "policies", []string{"y"}, []string{"y"}, nil},
		{"period", "token_period", time.Minute, int64(60), int64(0)},
		{"period", "period", time.Minute, int64(60), nil},
		{"token-num-uses", "token_num_uses", int64(3), uint32(3), uint32(0)},
		{"token-ttl", "token_ttl", time.Minute, int64(60), int64(0)},
		{"token-max-ttl", "token_max_ttl", time.Minute, int64(60), int64(0)},
		{"token-bound-cidrs", "token_bound_cidrs", []string{"10.0.0.0/8"}, []string{"10.0.0.0/8"}, []string{}},
	} {
		at := "role/r/" + c.path
		w.Write(at, values{c.field: c.value})
		w.Is(w.Must(engine.Read, at, nil), c.field, c.shown)
		w.Must(engine.Delete, at, nil)
		w.Is(w.Must(engine.Read, at, nil), c.field, c.reset)
		w.Refused(fsm.Invalid, "missing ", engine.Write, at, nil)
		none := "role/none/" + c.path
		w.Refused(fsm.NotFound, "", engine.Read, none, nil)
		w.Refused(fsm.NotFound, `role "none" does not exist`, engine.Write, none, values{c.field: c.value})
		w.Must(engine.Delete, none, nil)
	}
	w.Is(w.Must(engine.Read, "role/r/role-id", nil), "role_id", "rid")
	w.Refused(fsm.Invalid, "missing role_id", engine.Write, "role/r/role-id", values{"role_id": ""})
	w.Is(w.Must(engine.Read, "role/r/local-secret-ids", nil), "local_secret_ids", false)
	w.Refused(fsm.Invalid, "at least one constraint", engine.Write, "role/r/bind-secret-id", values{"bind_secret_id": false})
}

func TestSecretIDRefusals(t *testing.T) {
	w := newWorld(t)
	id, accessor := w.role(values{"secret_id_num_uses": int64(2), "secret_id_ttl": time.Minute})
	for text, v := range map[string]values{
		"num_uses cannot be negative":                                  {"num_uses": int64(-1)},
		"num_uses cannot be higher than the role's secret_id_num_uses": {"num_uses": int64(0)},
		"ttl cannot be longer than the role's secret_id_ttl":           {"ttl": time.Duration(0)},
		"failed to parse the input: invalid <key,value> format":        {"metadata": "notjson"},
		`invalid <key,value> pair: key: "" value: "v"`:                 {"metadata": "=v"},
	} {
		w.Refused(fsm.Invalid, text, engine.Write, "role/r/secret-id", v)
	}
	w.Refused(fsm.Invalid, "missing secret_id", engine.Write, "role/r/custom-secret-id", nil)
	w.Refused(fsm.Invalid, "at most 4096 bytes", engine.Write, "role/r/custom-secret-id", values{"secret_id": strings.Repeat("x", 4097)})
	w.Refused(fsm.Invalid, "already registered", engine.Write, "role/r/custom-secret-id", values{"secret_id": id})
	for _, path := range []string{"secret-id", "secret-id/lookup", "secret-id/destroy", "secret-id-accessor/lookup", "secret-id-accessor/destroy", "custom-secret-id"} {
		w.Refused(fsm.NotFound, `role "none" does not exist`, engine.Write, "role/none/"+path, values{"secret_id": "x", "secret_id_accessor": "x"})
	}
	for _, path := range []string{"secret-id/lookup", "secret-id/destroy", "secret-id-accessor/lookup", "secret-id-accessor/destroy"} {
		w.Refused(fsm.Invalid, "missing secret_id", engine.Write, "role/r/"+path, nil)
	}
	w.Write("role/other", values{})
	w.Refused(fsm.NotFound, "failed to find accessor entry", engine.Write, "role/other/secret-id-accessor/destroy", values{"secret_id_accessor": accessor})
	w.Must(engine.Delete, "role/r/secret-id-accessor/destroy", values{"secret_id_accessor": accessor})
	w.Must(engine.Delete, "role/r/secret-id/destroy", values{"secret_id": id})
}

func TestMetadata(t *testing.T) {
	t.Parallel()
	for _, text := range []string{`{"k":"v","l":"w"}`, "k=v, l = w", "eyJrIjoidiIsImwiOiJ3In0="} {
		if m, err := metadata(text); err != nil || len(m) != 2 || m["k"] != "v" || m["l"] != "w" {
			t.Errorf("%q: %v %v", text, m, err)
		}
	}
}

func TestRenewAsksTheRole(t *testing.T) {
	w := newWorld(t)
	w.role(values{"token_ttl": time.Minute, "token_max_ttl": time.Hour})
	rec := &token.Record{Login: token.Login{Data: "r"}}
	terms, err := method{}.Renew(context.Background(), w.Request(engine.Write, "", nil), rec)
	if err != nil || terms.TTL != time.Minute || terms.MaxTTL != time.Hour {
		t.Errorf("got %+v %v", terms, err)
	}
	w.Must(engine.Delete, "role/r", nil)
	if _, err = (method{}).Renew(context.Background(), w.Request(engine.Write, "", nil), rec); err == nil || !strings.Contains(err.Error(), `role "r" does not exist during renewal`) {
		t.Errorf("renewed by a role that is gone: %v", err)
	}
}
