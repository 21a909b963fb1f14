package httpapi

import (
	"strings"

	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
)

// tokenMount is where the token store is mounted, for ever.
const tokenMount = "auth/token/"

var tuneFields = schema{"path": text, "default_lease_ttl": seconds, "max_lease_ttl": seconds, "description": text, "token_type": text, "listing_visibility": text}

// showMount renders a mount as the listings do.
func (a *api) showMount(mt mount.Mount) map[string]any {
	return map[string]any{
		"type": mt.Type, "description": mt.Description, "accessor": mt.Accessor, "uuid": mt.UUID, "local": false, "seal_wrap": false,
		"external_entropy_access": false, "options": nil, "plugin_version": "", "running_plugin_version": "v" + a.cfg.Version + "+builtin.grove", "running_sha256": "",
		"config": map[string]any{
			"default_lease_ttl": wholeSeconds(mt.DefaultTTL), "max_lease_ttl": wholeSeconds(mt.MaxTTL), "force_no_cache": false, "token_type": mt.TokenType,
		},
	}
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

// mounted finds the mount that the path names.
func (rq *request) mounted() (mount.Mount, error) {
	name := strings.TrimRight(rq.text("path"), "/") + "/"
	var mt mount.Mount
	var ok bool
	rq.api.store.View(func(m *fsm.Machine) { mt, ok = m.Mount("auth/" + name) })
	if !ok {
		return mt, invalid("No auth engine at %s", name)
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

func readTune(rq *request) (*response, error) {
	mt, err := rq.mounted()
	if err != nil {
		return nil, err
	}
	defaultTTL, maxTTL := rq.ttls(mt.Path)
	data := map[string]any{
		"default_lease_ttl": wholeSeconds(defaultTTL), "max_lease_ttl": wholeSeconds(maxTTL), "description": mt.Description,
		"force_no_cache": false, "token_type": mt.TokenType,
	}
	if mt.Visibility != "" {
		data["listing_visibility"] = mt.Visibility
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}

// tuneAuth changes the TTLs and the description of a mount.
func tuneAuth(rq *request) (*response, error) {
	mt, err := rq.mounted()
	if err != nil {
		return nil, err
	}
	if rq.has("default_lease_ttl") {
		mt.DefaultTTL = rq.seconds("default_lease_ttl")
	}
	if rq.has("max_lease_ttl") {
		mt.MaxTTL = rq.seconds("max_lease_ttl")
	}
	if limit := either(mt.MaxTTL, rq.api.cfg.MaxTTL); mt.DefaultTTL > limit {
		return nil, invalid("backend max lease TTL of %d would be less than backend default lease TTL of %d", wholeSeconds(limit), wholeSeconds(mt.DefaultTTL))
	}
	if rq.has("description") {
		mt.Description = rq.text("description")
	}
	if v := rq.text("listing_visibility"); rq.has("listing_visibility") {
		if v != "" && v != "unauth" && v != "hidden" {
			return nil, invalid("invalid listing_visibility %q: \"\", \"unauth\" and \"hidden\" are allowed", v)
		}
		mt.Visibility = v
	}
	if v := rq.text("token_type"); v != "" {
		if v != "default-service" && v != "service" {
			return nil, invalid("token_type %q cannot be used for the token store", v)
		}
		mt.TokenType = v
	}
	_, err = rq.propose(&fsm.PutMount{Caller: rq.asker(), Mount: mt})
	return nil, err
}

// listMounts shows what clients look for. Grove has no secret engines of its own yet.
func listMounts(rq *request) (*response, error) {
	data := map[string]any{}
	for path, description := range map[string]string{"sys/": "system endpoints used for control, policy and debugging"} {
		data[path] = rq.api.showMount(mount.Mount{Type: "system", Description: description, Accessor: "system_grove"})
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}
