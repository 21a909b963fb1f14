package httpapi

import (
	"encoding/hex"
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
)

// tokenMount is where the token store is mounted, for ever.
const tokenMount = "auth/token/"

var enableFields = schema{
	"path": text, "type": text, "description": text, "config": object, "local": boolean, "seal_wrap": boolean, "external_entropy_access": boolean,
	"plugin_name": text, "plugin_version": text, "options": pairs, "identity_token_key": text,
}

// showMount renders a mount as the listings do.
func (a *api) showMount(mt mount.Mount) map[string]any {
	config := map[string]any{
		"default_lease_ttl": wholeSeconds(mt.DefaultTTL), "max_lease_ttl": wholeSeconds(mt.MaxTTL), "force_no_cache": mt.Tuning.ForceNoCache, "token_type": mt.TokenType,
	}
	showTuning(&mt, config)
	data := map[string]any{
		"type": mt.Type, "description": mt.Description, "accessor": mt.Accessor, "uuid": mt.UUID, "local": false, "seal_wrap": mt.Tuning.SealWrap,
		"external_entropy_access": mt.Tuning.ExternalEntropy, "options": nil, "plugin_version": "", "running_plugin_version": "v" + a.cfg.Version + "+builtin.grove",
		"running_sha256": "", "config": config,
	}
	if _, ok := a.engines[mt.Type]; ok {
		data["deprecation_status"] = "supported"
		data["options"] = orNone(mt.Tuning.Options)
	}
	return data
}

func orNone(m map[string]string) map[string]string {
	if m == nil {
		return map[string]string{}
	}
	return m
}

func listAuth(rq *request) (*response, error) {
	var mounts []mount.Mount
	rq.api.store.View(func(m *fsm.Machine) { mounts = m.Mounts() })
	data := map[string]any{}
	for _, mt := range mounts {
		if p, ok := strings.CutPrefix(mt.Path, "auth/"); ok {
			data[p] = rq.api.showMount(mt)
		}
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}

// authPath is the mount's path that the request names.
func (rq *request) authPath() string { return "auth/" + strings.Trim(rq.text("path"), "/") + "/" }

// mounted finds the mount that the path names.
func (rq *request) mounted() (mount.Mount, error) {
	path := rq.authPath()
	var mt mount.Mount
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { mt, ok = m.Mount(path) })
	if !ok {
		return mt, invalid("No auth engine at %s", strings.TrimPrefix(path, "auth/"))
	}
	return mt, nil
}

func readAuth(rq *request) (*response, error) {
	mt, err := rq.mounted()
	if err != nil {
		return nil, err
	}
	return &response{data: rq.api.showMount(mt), flat: true, mount: "system"}, nil
}

// enableAuth mounts a login method.
func enableAuth(rq *request) (*response, error) {
	path, kind := rq.authPath(), rq.text("type")
	if kind == "plugin" {
		kind = rq.text("plugin_name")
	}
	switch {
	case kind == "":
		return nil, invalid("backend type must be specified as a string")
	case rq.boolean("local"):
		return nil, invalid("a local mount is not possible: everything is replicated")
	case kind == "token" && path == tokenMount:
		return nil, invalid("path is already in use at token/")
	case kind == "token":
		return nil, invalid("token credential backend cannot be instantiated")
	case rq.api.engines[kind] == nil:
		return nil, errNoEngine(kind)
	}
	m := minter{r: rq.api.cfg.Rand}
	var suffix [4]byte
	m.read(suffix[:])
	mt := mount.Mount{
		Path: path, Type: kind, Accessor: "auth_" + kind + "_" + hex.EncodeToString(suffix[:]), UUID: m.uuid(), Description: rq.text("description"), TokenType: "default-service",
		Tuning: mount.Tuning{Options: rq.pairs("options"), SealWrap: rq.boolean("seal_wrap"), ExternalEntropy: rq.boolean("external_entropy_access")},
	}
	if m.err != nil {
		return nil, m.err
	}
	config, _ := rq.values["config"].(map[string]any)
	tuned, ignored, _, err := tuneFields.decode(config, nil)
	if err != nil {
		return nil, err
	}
	if len(ignored) > 0 {
		return nil, invalid("unknown keys in config: %s", strings.Join(ignored, ", "))
	}
	if err := rq.tune(&mt, tuned); err != nil {
		return nil, err
	}
	_, err = rq.propose(&fsm.EnableMount{Caller: rq.asker(), Mount: mt})
	return nil, err
}

// disableAuth takes a mount away with everything that came from it.
func disableAuth(rq *request) (*response, error) {
	_, err := rq.propose(&fsm.DisableMount{Caller: rq.asker(), Path: rq.authPath()})
	return nil, err
}

// listMounts shows what clients look for. What Grove has below these paths is part of it.
func listMounts(rq *request) (*response, error) {
	data := map[string]any{}
	for _, mt := range []mount.Mount{
		{Path: "sys/", Type: "system", Description: "system endpoints used for control, policy and debugging", Accessor: "system_grove"},
		{Path: cubbyholePath, Type: "cubbyhole", Description: "per-token private secret storage", Accessor: "cubbyhole_grove"},
	} {
		shown := rq.api.showMount(mt)
		shown["local"] = mt.Path == cubbyholePath
		data[mt.Path] = shown
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}
