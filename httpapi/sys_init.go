package httpapi

import (
	"encoding/hex"
	"fmt"
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
	p, err := acl.Parse(policy.Default, acl.DefaultPolicyText)
	if err != nil {
		return "", nil, err
	}
	m := minter{r: a.cfg.Rand}
	c := &fsm.Initialize{ClusterName: a.cfg.Genesis.ClusterName, ClusterID: m.uuid(), Policies: []policy.Policy{p}}
	m.read(c.Salt[:])
	if c.ClusterName == "" {
		c.ClusterName = "grove-cluster-" + c.ClusterID[:8]
	}
	id := either(token.ID(a.cfg.Genesis.RootTokenID), m.id())
	c.Root = token.Record{
		Hash: c.Salt.Hash(id), Accessor: m.accessor(), Type: token.Service, DisplayName: "root",
		Policies: []string{policy.Root}, Path: rootPath,
	}
	var suffix [4]byte
	m.read(suffix[:])
	c.Mounts = []mount.Mount{{
		Path: tokenMount, Type: "token", Accessor: "auth_token_" + hex.EncodeToString(suffix[:]), UUID: m.uuid(),
		Description: "token based credentials", TokenType: "default-service",
	}}
	return id, c, m.err
}

// minter makes random values and keeps the first error.
type minter struct {
	r   io.Reader
	err error
}

func (m *minter) read(b []byte) {
	_, err := io.ReadFull(m.r, b)
	m.note(err)
}

func (m *minter) note(err error) {
	if m.err == nil && err != nil {
		m.err = fmt.Errorf("minting a cluster: %w", err)
	}
}

func (m *minter) uuid() string {
	var b [16]byte
	m.read(b[:])
	return formatUUID(b)
}

func (m *minter) id() token.ID {
	id, err := token.NewID(m.r)
	m.note(err)
	return id
}

func (m *minter) accessor() token.Accessor {
	a, err := token.NewAccessor(m.r)
	m.note(err)
	return a
}

// stepDown hands leadership to another node.
func stepDown(rq *request) (*response, error) {
	return nil, rq.api.cluster.StepDown(rq.ctx)
}

var joinFields = schema{
	"leader_api_addr": text, "leader_ca_cert": text, "leader_client_cert": text, "leader_client_key": text, "leader_tls_servername": text,
	"auto_join": text, "auto_join_scheme": text, "auto_join_port": integer, "retry": boolean, "non_voter": boolean, "join_token": text,
}

// joinRaft makes this node, which must be in no cluster yet, a member of another's.
func joinRaft(rq *request) (*response, error) {
	addr := rq.text("leader_api_addr")
	if addr == "" {
		return nil, invalid("leader_api_addr must be specified")
	}
	if err := rq.api.cluster.Join(rq.ctx, addr, rq.text("join_token"), rq.boolean("non_voter")); err != nil {
		return nil, err
	}
	return &response{bare: map[string]any{"joined": true}}, nil
}

var removePeerFields = schema{"server_id": text, "dr_operation_token": text}

func removePeer(rq *request) (*response, error) {
	id := rq.text("server_id")
	if id == "" {
		return nil, fail(http.StatusBadRequest, "no server id provided")
	}
	return nil, rq.api.cluster.RemovePeer(rq.ctx, id)
}
