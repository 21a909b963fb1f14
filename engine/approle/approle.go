// Package approle is the login method of machines: a role ID says which role, a secret ID proves it.
//
// Secret IDs are kept only as HMACs under a random key of their role. Storage:
//
//	role/NAME                 a role; names are lower case
//	role_id/HASH              the name of the role with that role ID
//	secret_id/NAME/HMAC       a secret ID of a role
//	accessor/NAME/ACCESSOR    the HMAC of the secret ID with that accessor
//
// One use less of a secret ID and the token that it pays for are one transaction.
package approle

import (
	"fmt"
	"io"

	"github.com/tokengrove/grove/engine"
)

// method implements engine.Method. It has no state.
type method struct{}

// New returns the method.
func New() engine.Method { return method{} }

type ops = map[engine.Operation]engine.Handler

var (
	roleFields = engine.Fields{
		"bind_secret_id": engine.Boolean, "bound_cidr_list": engine.Strings, "secret_id_bound_cidrs": engine.Strings, "secret_id_num_uses": engine.Integer,
		"secret_id_ttl": engine.Seconds, "role_id": engine.Text, "local_secret_ids": engine.Boolean,
	}.With(engine.ParamFields, engine.OldFields.Only("policies", "period"))
	mintFields = engine.Fields{
		"metadata": engine.Text, "cidr_list": engine.Strings, "token_bound_cidrs": engine.Strings, "num_uses": engine.Integer, "ttl": engine.Seconds,
	}
	secretField   = engine.Fields{"secret_id": engine.Text}
	accessorField = engine.Fields{"secret_id_accessor": engine.Text}
)

// Paths implements engine.Method.
func (method) Paths() []engine.Path {
	const role = "role/{role_name}"
	paths := []engine.Path{
		{Pattern: "login", Login: true, Fields: engine.Fields{"role_id": engine.Text}.With(secretField), Ops: ops{engine.Write: login}},
		{Pattern: "role", Ops: ops{engine.List: listRoles}},
		{Pattern: role, Fields: roleFields, Exists: exists, Ops: ops{engine.Read: readRole, engine.Write: writeRole, engine.Delete: deleteRole}},
		{Pattern: role + "/secret-id", Fields: mintFields, Ops: ops{engine.List: listSecrets, engine.Write: mintSecret}},
		{Pattern: role + "/custom-secret-id", Fields: mintFields.With(secretField), Ops: ops{engine.Write: takeSecret}},
		{Pattern: role + "/secret-id/lookup", Fields: secretField, Ops: ops{engine.Write: lookupSecret}},
		{Pattern: role + "/secret-id/destroy", Fields: secretField, Ops: ops{engine.Write: destroySecret, engine.Delete: destroySecret}},
		{Pattern: role + "/secret-id-accessor/lookup", Fields: accessorField, Ops: ops{engine.Write: lookupAccessor}},
		{Pattern: role + "/secret-id-accessor/destroy", Fields: accessorField, Ops: ops{engine.Write: destroyAccessor, engine.Delete: destroyAccessor}},
		{Pattern: "tidy/secret-id", Ops: ops{engine.Write: tidy}},
	}
	for _, s := range subPaths {
		paths = append(paths, engine.Path{Pattern: role + "/" + s.name, Fields: roleFields.Only(s.fields...), Ops: s.ops()})
	}
	return paths
}

// uuid makes a random ID in the usual form.
func uuid(r io.Reader) (string, error) {
	var b [16]byte
	if _, err := io.ReadFull(r, b[:]); err != nil {
		return "", fmt.Errorf("random bytes: %w", err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), nil
}
