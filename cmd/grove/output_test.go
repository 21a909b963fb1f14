package main

import (
	"strings"
	"testing"
)

const issued = `{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":null,"warnings":["too long"],"auth":{"client_token":"hvs.x","accessor":"a","policies":["default","p"],"token_policies":["default","p"],"metadata":{"k":"v"},"lease_duration":5400,"renewable":true}}`

const looked = `{"request_id":"r","lease_id":"","lease_duration":0,"data":{"accessor":"a","display_name":"","expire_time":null,"meta":null,"num_uses":0,"policies":["root"],"ttl":3661,"explicit_max_ttl":0,"creation_time":1700000000}}`

// TestOutput compares with what the reference's CLI prints for the same answers.
func TestOutput(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args, body       string
		out, errOut      string
		status, wantCode int
	}{
		"token created": {args: "token create", body: issued, out: `Key                  Value
---                  -----
token                hvs.x
token_accessor       a
token_duration       1h30m
token_renewable      true
token_policies       ["default" "p"]
identity_policies    []
policies             ["default" "p"]
token_meta_k         v
`, errOut: "WARNING! The following warnings were returned from the server:\n\n  * too long\n\n"},
		"root token created": {args: "token create", body: `{"auth":{"client_token":"t","lease_duration":0,"policies":["root"]}}`, out: `Key                  Value
---                  -----
token                t
token_accessor       <nil>
token_duration       ∞
token_renewable      <nil>
token_policies       []
identity_policies    []
policies             ["root"]
`},
		"field":          {args: "token create -field=token", body: issued, out: "hvs.x"},
		"field duration": {args: "token create -field=token_duration", body: issued, out: "5400"},
		"field of data":  {args: "token lookup -field=ttl", body: looked, out: "3661"},
		"field list":     {args: "token lookup -field=policies", body: looked, out: "[root]"},
		"field as JSON":  {args: "token lookup -field=policies -format=json", body: looked, out: "[\n  \"root\"\n]\n"},
		"field missing":  {args: "token lookup -field=none", body: looked, errOut: "Field \"none\" is not in the answer\n", wantCode: 1},
		"lookup": {args: "token lookup", body: looked, out: `Key                 Value
---                 -----
accessor            a
creation_time       1700000000
display_name        n/a
expire_time         <nil>
explicit_max_ttl    0s
meta                <nil>
num_uses            0
policies            [root]
ttl                 1h1m1s
`},
		"JSON in the server's order": {args: "token lookup -format=json", body: `{"b":1,"a":{"c":[]}}`, out: "{\n  \"b\": 1,\n  \"a\": {\n    \"c\": []\n  }\n}\n"},
		"YAML":                       {args: "token lookup -format=yaml", body: `{"data":{"n":3,"f":1.5,"l":["x"],"z":null}}`, out: "data:\n  f: 1.5\n  l:\n    - x\n  \"n\": 3\n  z: null\n"},
		"lease":                      {args: "lease lookup l", body: `{"lease_id":"l","lease_duration":3600,"renewable":true,"data":null}`, out: "Key                Value\n---                -----\nlease_id           l\nlease_duration     1h\nlease_renewable    true\n"},
		"secret with a refresh":      {args: "read a", body: `{"lease_id":"","lease_duration":60,"data":{"k":"v"}}`, out: "Key                 Value\n---                 -----\nrefresh_interval    1m\nk                   v\n"},
		"bare answer":                {args: "read sys/health", body: `{"sealed":false,"version":"1"}`, out: "Key        Value\n---        -----\nsealed     false\nversion    1\n"},
		"list":                       {args: "list a", body: `{"data":{"keys":["b","a/"]}}`, out: "Keys\n----\na/\nb\n"},
		"list as JSON":               {args: "list a -format=json", body: `{"data":{"keys":["b","a<"]}}`, out: "[\n  \"b\",\n  \"a<\"\n]\n"},
		"policies":                   {args: "policy list", body: `{"data":{"keys":["default","root"]}}`, out: "default\nroot\n"},
		"policy":                     {args: "policy read p", body: `{"data":{"name":"p","policy":"\npath \"a\" {}\n"}}`, out: "path \"a\" {}\n"},
		"policy as JSON":             {args: "policy read p -format=json", body: `{"data":{"policy":"x"}}`, out: "{\n  \"policy\": \"x\"\n}\n"},
		"capabilities":               {args: "token capabilities p", body: `{"data":{"capabilities":["update","read"]}}`, out: "read, update\n"},
		"written":                    {args: "write a k=v", status: 204, out: "Success! Data written to: a\n"},
		"deleted":                    {args: "delete a", status: 204, out: "Success! Data deleted (if it existed) at: a\n"},
		"revoked":                    {args: "token revoke x", status: 204, out: "Success! Revoked token (if it existed)\n"},
		"joined":                     {args: "operator raft join http://x", body: `{"joined":true}`, out: "Key       Value\n---       -----\nJoined    true\n"},
		"initialized": {args: "operator init", body: `{"keys":[],"keys_base64":[],"root_token":"hvs.r"}`, out: "Initial Root Token: hvs.r\n\n" +
			"The cluster is initialized. Grove is never sealed: there are no unseal keys. Keep the root\ntoken in a safe place: it is shown only this once.\n"},
		"initialized, field":   {args: "operator init -field=root_token", body: `{"root_token":"hvs.r"}`, out: "hvs.r"},
		"not initialized":      {args: "operator init -status", body: `{"initialized":false}`, out: "Vault is not initialized\n", wantCode: 2},
		"peers":                {args: "operator raft list-peers", body: `{"data":{"config":{"servers":[{"node_id":"n1","address":"a:1","leader":true,"voter":true},{"node_id":"n2","address":"b:1","leader":false,"voter":false}]}}}`, out: "Node    Address    State       Voter\n----    -------    -----       -----\nn1      a:1        leader      true\nn2      b:1        follower    false\n"},
		"uninitialized status": {args: "status", body: `{"type":"shamir","initialized":false,"sealed":true,"t":0,"n":0,"version":"1","storage_type":"raft"}`, out: "Key             Value\n---             -----\nSeal Type       shamir\nInitialized     false\nSealed          true\nTotal Shares    0\nThreshold       0\nVersion         1\nStorage Type    raft\nHA Enabled      true\n", wantCode: 2},
		"refused": {args: "token lookup x", status: 403, body: `{"errors":["permission denied","really"]}`, wantCode: 2,
			errOut: "Error looking up token: Error making API request.\n\nURL: POST ADDR/v1/auth/token/lookup\nCode: 403. Errors:\n\n* permission denied\n* really\n"},
		"not JSON":       {args: "token lookup", body: "<html>", wantCode: 2, errOut: "Error looking up token: GET ADDR/v1/auth/token/lookup-self: the answer is no JSON object: is it a Grove server?\n"},
		"error no JSON":  {args: "token lookup", status: 502, body: "bad gateway", wantCode: 2, errOut: "Error looking up token: Error making API request.\n\nURL: GET ADDR/v1/auth/token/lookup-self\nCode: 502. Errors:\n\n* bad gateway\n"},
		"nothing there":  {args: "read a", status: 404, body: `{"errors":[]}`, wantCode: 2, errOut: "No value found at a\n"},
		"no such policy": {args: "policy read a", status: 404, body: `{"errors":[]}`, wantCode: 2, errOut: "No policy named: a\n"},
		"status refused": {args: "status", status: 500, body: `{"errors":["x"]}`, wantCode: 1, errOut: "Error checking seal status: Error making API request.\n\nURL: GET ADDR/v1/sys/seal-status\nCode: 500. Errors:\n\n* x\n"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if c.status == 0 {
				c.status = 200
			}
			f := newFake(t, always(c.status, c.body))
			got := runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL, "VAULT_TOKEN": "t"}, "", strings.Fields(c.args)...)
			want := result{c.wantCode, c.out, strings.ReplaceAll(c.errOut, "ADDR", f.URL)}
			if got != want {
				t.Errorf("code %d, output\n%s\nerror\n%s\nwant code %d, output\n%s\nerror\n%s", got.code, got.out, got.errOut, want.code, want.out, want.errOut)
			}
		})
	}
}

func TestFormatVariable(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{"data":{"keys":["a"]}}`))
	vars := map[string]string{"GROVE_ADDR": f.URL, "VAULT_ADDR": "http://127.0.0.1:1", "VAULT_FORMAT": "json"}
	if r := runCLI(t.Context(), vars, "", "list", "x"); r.out != "[\n  \"a\"\n]\n" {
		t.Errorf("got %+v, want JSON from GROVE_ADDR", r)
	}
	if r := runCLI(t.Context(), vars, "", "list", "-format=table", "x"); r.out != "Keys\n----\na\n" {
		t.Errorf("got %+v, want the flag to win", r)
	}
}

func TestDurations(t *testing.T) {
	t.Parallel()
	f := newFake(t, always(200, `{"data":{"a_ttl":0,"b_ttl":45,"c_ttl":3600,"d_ttl":3601,"e_ttl":90,"f_ttl":36060,"ttl_x":60,"g_ttl":"60"}}`))
	want := "Key      Value\n---      -----\na_ttl    0s\nb_ttl    45s\nc_ttl    1h\nd_ttl    1h1s\ne_ttl    1m30s\nf_ttl    10h1m\ng_ttl    60\nttl_x    60\n"
	if r := runCLI(t.Context(), map[string]string{"VAULT_ADDR": f.URL}, "", "read", "x"); r.out != want {
		t.Errorf("got\n%s\nwant\n%s", r.out, want)
	}
}
