package httpapi

import (
	"encoding/hex"
	"io"
	"net/http"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/policy"
	"github.com/tokengrove/grove/fsm/token"
	"github.com/tokengrove/grove/httpapi/acl"
)

var initFields = schema{
	"secret_shares": integer, "secret_threshold": integer, "pgp_keys": strs, "root_token_pgp_key": text, "stored_shares": integer,
	"recovery_shares": integer, "recovery_threshold": integer, "recovery_pgp_keys": strs,
}

func readInit(rq *request) (*response, error) {
	return &response{bare: map[string]any{"initialized": rq.api.cluster.Status().Initialized}}, nil
}

// initialize makes the cluster and gives out the root token, once. Grove is never sealed, so
// that there are no unseal keys.
func initialize(rq *request) (*response, error) {
	if rq.text("root_token_pgp_key") != "" || len(rq.strs("pgp_keys")) > 0 {
		return nil, invalid("PGP keys are not supported: there are no unseal keys, and the root token is shown once")
	}
	id, c, err := rq.api.genesis()
	if err != nil {
		return nil, err
	}
	if err := rq.api.cluster.Init(rq.ctx, *c); err != nil {
		return nil, err
	}
	return &response{bare: map[string]any{"keys": []string{}, "keys_base64": []string{}, "root_token": id}}, nil
}

// genesis mints everything that a new cluster starts with.
func (a *api) genesis() (token.ID, *fsm.Initialize, error) {
	c := &fsm.Initialize{ClusterName: a.cfg.ClusterName}
	if _, err := io.ReadFull(a.cfg.Rand, c.Salt[:]); err != nil {
		return "", nil, err
	}
	c.ClusterID = a.requestID()
	if c.ClusterName == "" {
		c.ClusterName = "grove-cluster-" + c.ClusterID[:8]
	}
	id, err := token.NewID(a.cfg.Rand)
	if err != nil {
		return "", nil, err
	}
	if a.cfg.RootTokenID != "" {
		id = token.ID(a.cfg.RootTokenID)
	}
	accessor, err := token.NewAccessor(a.cfg.Rand)
	if err != nil {
		return "", nil, err
	}
	c.Root = token.Record{
		Hash: c.Salt.Hash(id), Accessor: accessor, Type: token.Service, DisplayName: "root",
		Policies: []string{policy.Root}, Path: rootPath,
	}
	p, err := acl.Parse(policy.Default, acl.DefaultPolicyText)
	if err != nil {
		return "", nil, err
	}
	var r [4]byte
	if _, err := io.ReadFull(a.cfg.Rand, r[:]); err != nil {
		return "", nil, err
	}
	c.Policies = []policy.Policy{p}
	c.Mounts = []mount.Mount{{
		Path: tokenMount, Type: "token", Accessor: "auth_token_" + hex.EncodeToString(r[:]), UUID: a.requestID(),
		Description: "token based credentials", TokenType: "default-service",
	}}
	return id, c, nil
}

// stepDown hands leadership to another node.
func stepDown(rq *request) (*response, error) {
	return nil, rq.api.cluster.StepDown(rq.ctx)
}

var joinFields = schema{
	"leader_api_addr": text, "leader_ca_cert": text, "leader_client_cert": text, "leader_client_key": text, "leader_tls_servername": text,
	"auto_join": text, "auto_join_scheme": text, "auto_join_port": integer, "retry": boolean, "non_voter": boolean,
}

// joinRaft makes this node, which must be in no cluster yet, a member of another's.
func joinRaft(rq *request) (*response, error) {
	addr := rq.text("leader_api_addr")
	if addr == "" {
		return nil, invalid("leader_api_addr must be specified")
	}
	if err := rq.api.cluster.Join(rq.ctx, addr); err != nil {
		return nil, err
	}
	return &response{bare: map[string]any{"joined": true}}, nil
}

func removePeer(rq *request) (*response, error) {
	id := rq.text("server_id")
	if id == "" {
		return nil, fail(http.StatusBadRequest, "no server id provided")
	}
	return nil, rq.api.cluster.RemovePeer(rq.ctx, id)
}
