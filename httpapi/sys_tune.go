package httpapi

import (
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
)

var tuneFields = schema{
	"path": text, "default_lease_ttl": seconds, "max_lease_ttl": seconds, "description": text, "token_type": text, "listing_visibility": text,
	"audit_non_hmac_request_keys": strs, "audit_non_hmac_response_keys": strs, "passthrough_request_headers": strs, "allowed_response_headers": strs,
	"options": pairs, "user_lockout_config": object, "force_no_cache": boolean, "plugin_version": text, "plugin_name": text, "delegated_auth_accessors": strs,
	"identity_token_key": text,
}

var lockoutFields = schema{"lockout_threshold": integer, "lockout_duration": seconds, "lockout_counter_reset_duration": seconds, "lockout_disable": boolean}

// showTuning adds what is set for a mount and shown only then.
func showTuning(mt *mount.Mount, data map[string]any) {
	t := &mt.Tuning
	if mt.Visibility != "" {
		data["listing_visibility"] = mt.Visibility
	}
	for name, keys := range map[string][]string{ // order: a map of them
		"audit_non_hmac_request_keys": t.AuditRequestKeys, "audit_non_hmac_response_keys": t.AuditResponseKeys,
		"passthrough_request_headers": t.PassthroughHeaders, "allowed_response_headers": t.AllowedHeaders, "delegated_auth_accessors": t.DelegatedAccessors,
	} {
		if len(keys) > 0 {
			data[name] = keys
		}
	}
	if l := t.Lockout; l != (mount.Lockout{}) {
		l = l.Resolved()
		data["user_lockout_counter_reset_duration"] = wholeSeconds(l.Reset)
		data["user_lockout_disable"] = l.Disabled
		data["user_lockout_duration"] = wholeSeconds(l.Duration)
		data["user_lockout_threshold"] = l.Threshold
	}
	if t.IdentityTokenKey != "" {
		data["identity_token_key"] = t.IdentityTokenKey
	}
}

func readTune(rq *request) (*response, error)       { return rq.showTune(&authMounts) }
func readSecretTune(rq *request) (*response, error) { return rq.showTune(&secretMounts) }

func (rq *request) showTune(c *class) (*response, error) {
	mt, err := rq.mounted(c)
	if err != nil {
		return nil, err
	}
	defaultTTL, maxTTL := rq.ttls(mt.Path)
	data := map[string]any{
		"default_lease_ttl": wholeSeconds(defaultTTL), "max_lease_ttl": wholeSeconds(maxTTL), "description": mt.Description,
		"force_no_cache": mt.Tuning.ForceNoCache, "token_type": mt.TokenType,
	}
	if len(mt.Tuning.Options) > 0 {
		data["options"] = mt.Tuning.Options
	}
	showTuning(&mt, data)
	return &response{data: data, flat: true, mount: "system"}, nil
}

func tuneAuth(rq *request) (*response, error)   { return rq.tuneMount(&authMounts) }
func tuneSecret(rq *request) (*response, error) { return rq.tuneMount(&secretMounts) }

// tuneMount changes what is tuned for a mount.
func (rq *request) tuneMount(c *class) (*response, error) {
	mt, err := rq.mounted(c)
	if err != nil {
		return nil, err
	}
	if err := rq.tune(&mt, rq.values); err != nil {
		return nil, err
	}
	_, err = rq.propose(&fsm.TuneMount{Caller: rq.asker(), Mount: mt})
	return nil, err
}

// tune changes mt by the fields that were sent.
func (rq *request) tune(mt *mount.Mount, v values) error {
	engine.Set(v, "default_lease_ttl", &mt.DefaultTTL)
	engine.Set(v, "max_lease_ttl", &mt.MaxTTL)
	if limit := either(mt.MaxTTL, rq.api.cfg.MaxTTL); mt.DefaultTTL > limit {
		return invalid("backend max lease TTL of %d would be less than backend default lease TTL of %d", wholeSeconds(limit), wholeSeconds(mt.DefaultTTL))
	}
	engine.Set(v, "description", &mt.Description)
	if s := v.text("listing_visibility"); v.has("listing_visibility") {
		if s != "" && s != "unauth" && s != "hidden" {
			return invalid("invalid listing_visibility %q: \"\", \"unauth\" and \"hidden\" are allowed", s)
		}
		mt.Visibility = s
	}
	if err := tuneType(mt, v.text("token_type")); err != nil {
		return err
	}
	return tuneRest(&mt.Tuning, v)
}

func tuneType(mt *mount.Mount, kind string) error {
	switch {
	case kind == "":
		return nil
	case mt.Path == tokenMount && kind != "default-service" && kind != "service":
		return invalid("token_type %q cannot be used for the token store", kind)
	case kind != "service" && kind != "batch" && kind != "default-service" && kind != "default-batch":
		return invalid("invalid value for token_type: %q: service, batch, default-service and default-batch are allowed", kind)
	}
	mt.TokenType = kind
	return nil
}

func tuneRest(t *mount.Tuning, v values) error {
	engine.Set(v, "audit_non_hmac_request_keys", &t.AuditRequestKeys)
	engine.Set(v, "audit_non_hmac_response_keys", &t.AuditResponseKeys)
	engine.Set(v, "passthrough_request_headers", &t.PassthroughHeaders)
	engine.Set(v, "allowed_response_headers", &t.AllowedHeaders)
	engine.Set(v, "delegated_auth_accessors", &t.DelegatedAccessors)
	engine.Set(v, "options", &t.Options)
	engine.Set(v, "force_no_cache", &t.ForceNoCache)
	engine.Set(v, "identity_token_key", &t.IdentityTokenKey)
	config, ok := v["user_lockout_config"].(map[string]any)
	if !ok {
		return nil
	}
	return tuneLockout(&t.Lockout, config)
}

func tuneLockout(l *mount.Lockout, config map[string]any) error {
	v, ignored, _, err := lockoutFields.decode(config, nil)
	switch {
	case err != nil:
		return err
	case len(ignored) > 0:
		return invalid("unknown keys in user_lockout_config: %s", strings.Join(ignored, ", "))
	}
	if v.has("lockout_threshold") {
		n := v.integer("lockout_threshold")
		if n < 0 || n > maxUses {
			return invalid("lockout_threshold must be between 0 (the default, %d) and %d", mount.UsualThreshold, maxUses)
		}
		l.Threshold = uint32(n)
	}
	engine.Set(v, "lockout_duration", &l.Duration)
	engine.Set(v, "lockout_counter_reset_duration", &l.Reset)
	engine.Set(v, "lockout_disable", &l.Disabled)
	return nil
}
