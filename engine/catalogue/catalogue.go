// Package catalogue lists what can be mounted.
package catalogue

import (
	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/approle"
	"github.com/tokengrove/grove/engine/github"
	"github.com/tokengrove/grove/engine/jwt"
	"github.com/tokengrove/grove/engine/kubernetes"
	"github.com/tokengrove/grove/engine/userpass"
	"github.com/tokengrove/grove/engine/webhook"
)

// Methods makes every login method, by the type under which it is mounted.
func Methods() map[string]engine.Method {
	return map[string]engine.Method{
		"approle":    approle.New(),
		"github":     github.New(),
		"jwt":        jwt.New(),
		"kubernetes": kubernetes.New(),
		"oidc":       jwt.New(),
		"userpass":   userpass.New(),
	}
}

// Secrets makes every lease engine, by the type under which it is mounted.
func Secrets() map[string]engine.Secrets {
	return map[string]engine.Secrets{
		"webhook": webhook.New(),
	}
}
