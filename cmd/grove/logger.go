package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// logLevels are the reference's names for levels that hclog calls otherwise.
var logLevels = map[string]string{"": "info", "notice": "info", "warning": "warn", "err": "error"}

// newLogger logs to the environment's standard error.
func newLogger(env *environment, level, format string) (hclog.Logger, error) {
	l, err := logLevel(level)
	if err != nil {
		return nil, err
	}
	format = strings.ToLower(format)
	if !slices.Contains([]string{"", "standard", "json"}, format) {
		return nil, fmt.Errorf("log format %q: standard and json are allowed", format)
	}
	return hclog.New(&hclog.LoggerOptions{Name: "grove", Level: l, Output: env.stderr, JSONFormat: format == "json"}), nil
}

// logLevel is the level of a name.
func logLevel(text string) (hclog.Level, error) {
	name := strings.ToLower(strings.TrimSpace(text))
	if other, ok := logLevels[name]; ok {
		name = other
	}
	l := hclog.LevelFromString(name)
	if l == hclog.NoLevel {
		return l, fmt.Errorf("log level %q: trace, debug, info, warn and error are allowed", text)
	}
	return l, nil
}
