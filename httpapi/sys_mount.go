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
	if a.engines.of(&mt) != nil {
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

// class is one of the two kinds of mounts, each with its own routes.
type class struct {
	prefix  string // of all its paths
	missing string // text when there is no such mount
	types   func(*engines) map[string]*engineType
}

var (
	authMounts   = class{"auth/", "No auth engine at %s", func(e *engines) map[string]*engineType { return e.methods }}
	secretMounts = class{"", "No secret engine mount at %s", func(e *engines) map[string]*engineType { return e.secrets }}
)

// has reports whether a mount is of the class.
func (c *class) has(mt *mount.Mount) bool { return mt.Auth() == (c.prefix == "auth/") }

func listAuth(rq *request) (*response, error) {
	return &response{data: rq.mounts(&authMounts), flat: true, mount: "system"}, nil
}

// listMounts shows the lease engines, and what clients look for: what Grove has below these paths is part of it.
func listMounts(rq *request) (*response, error) {
	data := rq.mounts(&secretMounts)
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

// mounts shows the mounts of a class by their paths.
func (rq *request) mounts(c *class) map[string]any {
	var all []mount.Mount
	rq.api.store.View(func(m *fsm.Machine) { all = m.Mounts() })
	data := map[string]any{}
	for _, mt := range all {
		if c.has(&mt) {
			data[strings.TrimPrefix(mt.Path, c.prefix)] = rq.api.showMount(mt)
		}
	}
	return data
}

// mountPath is the mount's path that the request names.
func (rq *request) mountPath(c *class) string {
	return c.prefix + strings.Trim(rq.text("path"), "/") + "/"
}

// mounted finds the mount that the path names.
func (rq *request) mounted(c *class) (mount.Mount, error) {
	path := rq.mountPath(c)
	var mt mount.Mount
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { mt, ok = m.Mount(path) })
	if !ok || !c.has(&mt) {
		return mt, invalid(c.missing, strings.TrimPrefix(path, c.prefix))
	}
	return mt, nil
}

func readAuth(rq *request) (*response, error)   { return rq.readMount(&authMounts) }
func readSecret(rq *request) (*response, error) { return rq.readMount(&secretMounts) }

func (rq *request) readMount(c *class) (*response, error) {
	mt, err := rq.mounted(c)
	if err != nil {
		return nil, err
	}
	return &response{data: rq.api.showMount(mt), flat: true, mount: "system"}, nil
}

// enableAuth mounts a login method.
func enableAuth(rq *request) (*response, error) {
	switch kind := rq.mountType(); {
	case kind == "token" && rq.mountPath(&authMounts) == tokenMount:
		return nil, invalid("path is already in use at token/")
	case kind == "token":
		return nil, invalid("token credential backend cannot be instantiated")
	}
	return rq.enable(&authMounts, "auth_")
}

// enableSecret mounts a lease engine.
func enableSecret(rq *request) (*response, error) {
	if strings.HasPrefix(rq.mountPath(&secretMounts), "auth/") {
		return nil, invalid("login methods are enabled at sys/auth, and nothing else is mounted below auth/")
	}
	return rq.enable(&secretMounts, "")
}

// mountType is the type that shall be mounted.
func (rq *request) mountType() string {
	if kind := rq.text("type"); kind != "plugin" {
		return kind
	}
	return rq.text("plugin_name")
}

// enable mounts a type of a class. Accessors start with a prefix and the type.
func (rq *request) enable(c *class, accessor string) (*response, error) {
	kind := rq.mountType()
	switch {
	case kind == "":
		return nil, invalid("backend type must be specified as a string")
	case rq.boolean("local"):
		return nil, invalid("a local mount is not possible: everything is replicated")
	case c.types(&rq.api.engines)[kind] == nil:
		return nil, errNoEngine(kind)
	}
	m := minter{r: rq.api.cfg.Rand}
	var suffix [4]byte
	m.read(suffix[:])
	mt := mount.Mount{
		Path: rq.mountPath(c), Type: kind, Accessor: accessor + kind + "_" + hex.EncodeToString(suffix[:]), UUID: m.uuid(), Description: rq.text("description"), TokenType: "default-service",
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
	_, err := rq.propose(&fsm.DisableMount{Caller: rq.asker(), Path: rq.mountPath(&authMounts)})
	return nil, err
}

// disableSecret takes a mount away. Its leases are dead when that is answered; what they stand for is taken back
// afterwards.
func disableSecret(rq *request) (*response, error) {
	path := rq.mountPath(&secretMounts)
	if strings.HasPrefix(path, "auth/") {
		return nil, invalid("login methods are disabled at sys/auth")
	}
	for _, p := range mount.Reserved {
		if strings.HasPrefix(path, p) {
			return nil, invalid("cannot unmount %q", path)
		}
	}
	_, err := rq.propose(&fsm.DisableMount{Caller: rq.asker(), Path: path})
	return nil, err
}
