// Package github is the login method of members of a GitHub organization: GitHub says whose a personal access token is and which
// teams they are in, and maps of teams and users say what policies that means.
//
// The token is asked about again at each renewal, and is therefore kept with the token that it paid for, sealed. Storage:
//
//	config            the organization
//	map/teams/NAME    policies of a team, by its name or slug; "default" is of everybody
//	map/users/NAME    policies of a user; "default" likewise
//
// Names are lower case.
package github

import (
	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/remote"
)

// method implements engine.Method.
type method struct {
	servers *remote.Servers
	ca      string // PEM of whom to trust; "": whom the system does
}

// New returns the method.
func New() engine.Method { return &method{servers: remote.NewServers("GitHub")} }

type ops = map[engine.Operation]engine.Handler

var configFields = engine.Fields{"organization": engine.Text, "organization_id": engine.Integer, "base_url": engine.Text}.
	With(engine.ParamFields, engine.OldFields.Only("ttl", "max_ttl"))

// Paths implements engine.Method.
func (m *method) Paths() []engine.Path {
	paths := []engine.Path{
		{Pattern: "login", Login: true, Fields: engine.Fields{"token": engine.Text}, Ops: ops{engine.Write: m.login}},
		{Pattern: "config", Fields: configFields, Exists: configured, Ops: ops{engine.Read: readConfig, engine.Write: m.writeConfig}},
	}
	return append(paths, append(teams.paths(), users.paths()...)...)
}
