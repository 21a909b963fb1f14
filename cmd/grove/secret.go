package main

import (
	"encoding/json"
	"maps"
	"slices"
)

// secretRows are what the reference's CLI shows of an answer: the lease, then the token that
// was issued, then the data.
func secretRows(a *answer) []row {
	rows := leaseRows(a.raw)
	if auth, ok := a.raw["auth"].(map[string]any); ok {
		rows = append(rows, authRows(auth)...)
	}
	data := a.data()
	if data == nil && a.raw["auth"] == nil {
		data = bare(a.raw)
	}
	for _, k := range slices.Sorted(maps.Keys(data)) {
		v := data[k]
		if isDuration(k) {
			v = duration(v)
		}
		rows = append(rows, row{k, v})
	}
	return rows
}

// bare is the content of an answer that has no envelope, as those of sys/health.
func bare(raw map[string]any) map[string]any {
	for _, k := range []string{"request_id", "lease_id", "data"} {
		if _, enveloped := raw[k]; enveloped {
			return nil
		}
	}
	return raw
}

func leaseRows(raw map[string]any) []row {
	n, _ := raw["lease_duration"].(json.Number)
	if seconds, err := n.Int64(); err != nil || seconds <= 0 {
		return nil
	}
	if raw["lease_id"] == "" || raw["lease_id"] == nil {
		return []row{{"refresh_interval", duration(n)}}
	}
	return []row{{"lease_id", raw["lease_id"]}, {"lease_duration", duration(n)}, {"lease_renewable", raw["renewable"]}}
}

func authRows(auth map[string]any) []row {
	var life any = "∞" // a root token's
	if n, ok := auth["lease_duration"].(json.Number); ok && n != "0" {
		life = duration(n)
	}
	rows := []row{
		{"token", auth["client_token"]}, {"token_accessor", auth["accessor"]}, {"token_duration", life}, {"token_renewable", auth["renewable"]},
		{"token_policies", quoted(auth["token_policies"])}, {"identity_policies", quoted(auth["identity_policies"])}, {"policies", quoted(auth["policies"])},
	}
	meta, _ := auth["metadata"].(map[string]any)
	for _, k := range slices.Sorted(maps.Keys(meta)) {
		rows = append(rows, row{"token_meta_" + k, meta[k]})
	}
	return rows
}

// authFields are the names that -field has for what an answer says of a new token.
var authFields = map[string]string{
	"token": "client_token", "token_accessor": "accessor", "token_duration": "lease_duration", "token_renewable": "renewable",
	"token_policies": "token_policies", "identity_policies": "identity_policies", "policies": "policies",
}

// fieldOf finds what -field asks for; nil if it is not there. Durations stay numbers.
func fieldOf(a *answer, name string) any {
	auth, ok := a.raw["auth"].(map[string]any)
	if key := authFields[name]; ok && key != "" {
		return auth[key]
	}
	data := a.data()
	if data == nil {
		data = bare(a.raw)
	}
	if v, ok := data[name]; ok {
		return v
	}
	if name == "refresh_interval" || name == "lease_duration" {
		return a.raw["lease_duration"]
	}
	if name == "lease_id" {
		return a.raw[name]
	}
	return nil
}
