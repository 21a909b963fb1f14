// Package kubernetes is the login method of workloads in a Kubernetes cluster: a service account's token, which the cluster's own API
// reviews, shows who asks, and a role says which service accounts may log in by it.
//
// Whatever is wrong with a token, a role's name or how the two fit, the answer is the same 403 after the same review: nobody learns which
// roles there are, or what they are bound to. Storage:
//
//	config       the cluster; the reviewer's token in it is sealed
//	role/NAME    a role; names are lower case
package kubernetes

import (
	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// method implements engine.Method.
type method struct {
	clusters *remote.Servers
	pod      string // the folder of the service account of the pod that this node runs in
}

// podFolder is where Kubernetes puts the service account of a pod.
const podFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

// New returns the method.
func New() engine.Method {
	return &method{clusters: remote.NewServers("the Kubernetes API"), pod: podFolder}
}

type ops = map[engine.Operation]engine.Handler

var (
	configFields = engine.Fields{
		"kubernetes_host": engine.Text, "kubernetes_ca_cert": engine.Text, "token_reviewer_jwt": engine.Text, "pem_keys": engine.Strings, "issuer": engine.Text,
		"disable_iss_validation": engine.Boolean, "disable_local_ca_jwt": engine.Boolean, "use_annotations_as_alias_metadata": engine.Boolean,
	}
	roleFields = engine.Fields{
		"bound_service_account_names": engine.Strings, "bound_service_account_namespaces": engine.Strings, "bound_service_account_namespace_selector": engine.Text,
		"audience": engine.Text, "alias_name_source": engine.Text,
	}.With(engine.ParamFields, engine.OldFields.Only("policies", "ttl", "max_ttl", "period", "bound_cidrs", "num_uses"))
)

// Paths implements engine.Method.
func (m *method) Paths() []engine.Path {
	return []engine.Path{
		{Pattern: "login", Login: true, Fields: engine.Fields{"role": engine.Text, "jwt": engine.Text}, Ops: ops{engine.Write: m.login}},
		{Pattern: "config", Fields: configFields, Ops: ops{engine.Read: readConfig, engine.Write: m.writeConfig}},
		{Pattern: "role", Ops: ops{engine.List: listRoles}},
		{Pattern: "role/{name}", Fields: roleFields, Exists: exists, Ops: ops{engine.Read: readRole, engine.Write: writeRole, engine.Delete: deleteRole}},
	}
}
