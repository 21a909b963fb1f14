package main

import (
	"strings"

	"github.com/spf13/cobra"
)

// mountFlags are the flags of enable and tune.
type mountFlags struct{ path, description string }

// mountOptions are what a mount is tuned with: a flag each, and the field with underscores for dashes.
var mountOptions = []struct {
	name, use string
	list      bool // may be repeated
}{
	{"default-lease-ttl", "TTL of what asks for none", false},
	{"max-lease-ttl", "longest TTL", false},
	{"token-type", "default-service, default-batch, service or batch", false},
	{"listing-visibility", "hidden or unauth", false},
	{"audit-non-hmac-request-keys", "field of requests that is recorded in clear; may be repeated", true},
	{"audit-non-hmac-response-keys", "field of answers that is recorded in clear; may be repeated", true},
	{"passthrough-request-headers", "header of requests that it gets; may be repeated", true},
	{"allowed-response-headers", "header that it may answer with; may be repeated", true},
}

// lockoutOptions are the fields of user_lockout_config, each with its flag.
var lockoutOptions = []struct{ name, flag, use string }{
	{"lockout_threshold", "user-lockout-threshold", "failed logins that lock a user out"},
	{"lockout_duration", "user-lockout-duration", "how long a user stays locked out"},
	{"lockout_counter_reset_duration", "user-lockout-counter-reset-duration", "after how long without a failure they are forgotten"},
	{"lockout_disable", "user-lockout-disable", "true: nobody is locked out"},
}

func (f *mountFlags) register(c *cobra.Command, m mountClass) {
	fl := c.Flags()
	fl.StringVar(&f.description, "description", "", "what it is for")
	fl.StringToString("options", nil, "KEY=VALUE that is kept with it; may be repeated")
	for _, o := range mountOptions {
		if o.list {
			fl.StringArray(o.name, nil, o.use)
		} else {
			fl.String(o.name, "", o.use)
		}
	}
	if m.prefix != authClass.prefix {
		return // nobody logs in there
	}
	for _, o := range lockoutOptions {
		fl.String(o.flag, "", o.use)
	}
}

// config is what was set on the command line.
func (f *mountFlags) config(c *cobra.Command) (map[string]any, error) {
	config, lockout := map[string]any{}, map[string]any{}
	fl := c.Flags()
	var failed error
	take := func(into map[string]any, field, flag string, read func(string) (any, error)) {
		if fl.Changed(flag) && failed == nil {
			into[field], failed = read(flag)
		}
	}
	text := func(flag string) (any, error) { return fl.GetString(flag) }
	for _, o := range mountOptions {
		read := text
		if o.list {
			read = func(flag string) (any, error) { return fl.GetStringArray(flag) }
		}
		take(config, strings.ReplaceAll(o.name, "-", "_"), o.name, read)
	}
	take(config, "options", "options", func(flag string) (any, error) { return fl.GetStringToString(flag) })
	for _, o := range lockoutOptions {
		take(lockout, o.name, o.flag, text)
	}
	if len(lockout) > 0 {
		config["user_lockout_config"] = lockout
	}
	return config, failed
}
