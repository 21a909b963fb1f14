package api

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"
)

// limits are the mount's default and maximal TTL in seconds.
func (u user) limits() (standard, most int64) {
	u.Helper()
	r := u.get("sys/auth/token/tune").want(200)
	var ns [2]int64
	for i, k := range []string{"data.default_lease_ttl", "data.max_lease_ttl"} {
		n, ok := r.at(k).(json.Number)
		if !ok {
			u.Fatalf("%s is %v", k, r.at(k))
		}
		ns[i], _ = n.Int64()
	}
	return ns[0], ns[1]
}

func TestTTL(t *testing.T) {
	u := root(t)
	standard, most := u.limits()
	_, made := u.issue("create", obj{"policies": []string{"default"}})
	made.is("auth.lease_duration", standard).is("auth.renewable", true)
	_, made = u.issue("create", obj{"policies": []string{"default"}, "ttl": fmt.Sprintf("%ds", most+3600)})
	made.between("auth.lease_duration", most-2, most).warns("exceeded the effective max_ttl")
	for ttl, want := range map[any]int{"45s": 45, "1h30m": 5400, "90": 90, 3600: 3600, "2d": 172800, "1.5h": 5400} {
		_, made := u.issue("create", obj{"policies": []string{"default"}, "ttl": ttl})
		made.is("auth.lease_duration", want)
	}
	for _, ttl := range []any{"abc", "5x", "-1s", -5, "1h-", obj{}} {
		u.post("auth/token/create", obj{"ttl": ttl}).refused(400, "")
	}
}

func TestExplicitMaxTTL(t *testing.T) {
	u := root(t)
	tk, made := u.issue("create", obj{"policies": []string{"default"}, "ttl": "2h", "explicit_max_ttl": "1h"})
	made.is("auth.lease_duration", 3600)
	u.post("auth/token/lookup", obj{"token": tk.id}).want(200).is("data.explicit_max_ttl", 3600).is("data.creation_ttl", 3600)
	tk, _ = u.issue("create", obj{"policies": []string{"default"}, "ttl": "60s", "explicit_max_ttl": "120s"})
	for range 3 {
		u.post("auth/token/renew", obj{"token": tk.id, "increment": "10m"}).want(200).between("auth.lease_duration", 100, 120).warns("TTL of")
	}
	u.post("auth/token/create", obj{"explicit_max_ttl": "-1h"}).refused(400, "explicit_max_ttl must be positive")
	n := u.role(obj{"token_explicit_max_ttl": "100s"})
	_, made = u.issue("create/"+n, obj{"policies": []string{"default"}, "ttl": "1h"})
	made.between("auth.lease_duration", 99, 100)
	_, made = u.issue("create/"+n, obj{"policies": []string{"default"}, "explicit_max_ttl": "50s"})
	made.between("auth.lease_duration", 49, 50).warns("using the lesser value of 50 seconds")
}

func TestPeriodic(t *testing.T) {
	u := root(t)
	tk, made := u.issue("create", obj{"policies": []string{"default"}, "period": "300s"})
	made.is("auth.lease_duration", 300).is("auth.renewable", true)
	u.post("auth/token/lookup", obj{"token": tk.id}).want(200).is("data.period", 300).is("data.explicit_max_ttl", 0)
	for _, increment := range []any{nil, "1h", 10} {
		u.post("auth/token/renew", obj{"token": tk.id, "increment": increment}).want(200).is("auth.lease_duration", 300)
	}
	weak := u.child(obj{"policies": []string{u.policy(rule("auth/token/create*", "update"))}, "ttl": "1h"})
	u.as(weak.id).post("auth/token/create", obj{"period": "1h"}).refused(400, "root or sudo privileges required to create periodic token")
	n := u.role(obj{"token_period": "200s"})
	r := u.as(weak.id).post("auth/token/create/"+n, obj{}).want(200).is("auth.lease_duration", 200)
	u.post("auth/token/renew", obj{"token": r.str("auth.client_token"), "increment": 50}).want(200).is("auth.lease_duration", 200)
	u.post("auth/token/create", obj{"period": "-1h"}).refused(400, "period must be positive")
}

// TestExpiry waits for tokens of a second or two to end, renewed and not.
func TestExpiry(t *testing.T) {
	u := root(t)
	short := u.child(obj{"policies": []string{"default"}, "ttl": "2s"})
	renewed := u.child(obj{"policies": []string{"default"}, "ttl": "2s"})
	capped := u.child(obj{"policies": []string{"default"}, "ttl": "2s", "explicit_max_ttl": "3s"})
	u.post("auth/token/renew", obj{"token": renewed.id, "increment": "1h"}).want(200)
	u.post("auth/token/renew", obj{"token": capped.id, "increment": "1h"}).want(200).between("auth.lease_duration", 1, 3)
	u.ends(short)
	u.ends(capped)
	u.alive(renewed)
	u.post("auth/token/renew", obj{"token": short.id}).refused(400, "token not found")
	u.post("auth/token/lookup-accessor", obj{"accessor": short.accessor}).refused(400, "invalid accessor")
	if u.list("auth/token/accessors").want(200).has("data.keys", short.accessor) {
		t.Error("the accessor of an expired token is listed")
	}
}

// ends waits until a token is refused, and checks that it stays so on every node.
func (u user) ends(tk issued) {
	u.Helper()
	deadline := time.Now().Add(15 * time.Second)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for u.as(tk.id).get("auth/token/lookup-self").status == 200 {
		if time.Now().After(deadline) {
			u.Fatal("the token does not end")
		}
		<-tick.C
	}
	u.dead(tk)
}
