package httpapi

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
	"github.com/tokengrove/grove/fsm/mount"
	"github.com/tokengrove/grove/fsm/storage"
	"github.com/tokengrove/grove/httpapi/acl"
)

// engineType is a type of what can be mounted, its paths made routes. One of method and secrets is set.
type engineType struct {
	method  engine.Method
	secrets engine.Secrets
	paths   []enginePath
}

// enginePath is one path of an engine.
type enginePath struct {
	pattern *regexp.Regexp // of what follows the mount
	names   []string       // of its variables
	route   *route
}

// site is where below which mount a request is, at one moment of the local replica.
type site struct {
	mount   mount.Mount
	storage storage.Store
	epoch   uint64
	kind    *engineType // nil: this build does not know the mount's type
	vars    map[string]string
	call    *engine.Request // made when it is needed first
	locked  bool            // the engine was told that a user is locked out
}

// engines are the types that can be mounted, by name: below auth/, and elsewhere.
type engines struct{ methods, secrets map[string]*engineType }

// compileEngines makes routes of what the engines declare.
func compileEngines(c *Engines) engines {
	e := engines{map[string]*engineType{}, map[string]*engineType{}}
	for name, m := range c.Methods { // order: a map of them
		e.methods[name] = &engineType{method: m, paths: compilePaths(m.Paths())}
	}
	for name, s := range c.Secrets { // order: likewise
		e.secrets[name] = &engineType{secrets: s, paths: compilePaths(s.Paths())}
	}
	return e
}

func compilePaths(declared []engine.Path) (paths []enginePath) {
	for i := range declared {
		pattern, names := compilePattern(&declared[i])
		paths = append(paths, enginePath{pattern, names, routeOf(&declared[i])})
	}
	return paths
}

// of returns the type of a mount, nil if this build does not know it.
func (e *engines) of(mt *mount.Mount) *engineType {
	if mt.Auth() {
		return e.methods[mt.Type]
	}
	return e.secrets[mt.Type]
}

var variable = regexp.MustCompile(`\\\{(\w+)(\\\.\\\.\\\.)?\\\}`)

// compilePattern turns "users/{name}" into a regular expression. A path that lists is found with a
// slash at its end, too.
func compilePattern(p *engine.Path) (*regexp.Regexp, []string) {
	var names []string
	text := variable.ReplaceAllStringFunc(regexp.QuoteMeta(p.Pattern), func(v string) string {
		m := variable.FindStringSubmatch(v)
		names = append(names, m[1])
		if m[2] != "" {
			return `(.+)`
		}
		return `(\w(?:[\w.-]*\w)?)`
	})
	if _, ok := p.Ops[engine.List]; ok {
		text += "/?"
	}
	return regexp.MustCompile("^" + text + "$"), names
}

// routeOf is the route of one path of an engine.
func routeOf(p *engine.Path) *route {
	fields := make(schema, len(p.Fields))
	for name, k := range p.Fields { // order: a map of them
		fields[name] = kind(k)
	}
	rt := &route{path: p.Pattern, sudo: p.Sudo, login: p.Login, ops: ops{}}
	if p.Exists != nil {
		rt.exists = func(rq *request, _ *fsm.Machine) bool { return p.Exists(rq.engineRequest()) }
	}
	for op, h := range p.Ops { // order: a map of them
		o := operation{fields: fields, run: func(rq *request) (*response, error) { return rq.runEngine(h) }}
		switch op {
		case engine.Write:
			o.write = true
			rt.ops[acl.Update] = o
		case engine.Delete:
			o.write = true
			rt.ops[acl.Delete] = o
		case engine.List:
			rt.ops[acl.List] = o
		default:
			o.write = p.Lends
			rt.ops[acl.Read] = o
		}
	}
	return rt
}

// locate finds the mount and the route of a request that the table of routes has not, on the local
// replica. It finds them anew at every attempt; nil: there is none, or none yet.
func (a *api) locate(rq *request) *route {
	rq.site = nil
	if strings.HasPrefix(rq.path, tokenMount) || strings.HasPrefix(rq.path, "sys/") || climbs(rq.path) {
		return nil
	}
	s := &site{}
	found := false
	a.store.View(func(m *fsm.Machine) {
		rq.identity, rq.now = m.Identity(), m.Now(a.local())
		if s.mount, found = m.MountOf(rq.path); found {
			s.storage, s.epoch = m.Storage(s.mount.UUID), m.Epoch()
		}
	})
	if !found {
		return nil
	}
	rq.site, s.kind = s, a.engines.of(&s.mount)
	if s.kind == nil {
		return nil
	}
	rest := rq.path[len(s.mount.Path):]
	for i := range s.kind.paths {
		p := &s.kind.paths[i]
		if m := p.pattern.FindStringSubmatch(rest); m != nil {
			s.vars = make(map[string]string, len(p.names))
			for j, name := range p.names {
				s.vars[name] = m[j+1]
			}
			return p.route
		}
	}
	return nil
}

// noRoute answers an authorised request for a path that nothing serves.
func (rq *request) noRoute() error {
	if rq.site != nil || strings.HasPrefix(rq.path, tokenMount) || strings.HasPrefix(rq.path, "sys/") {
		return errUnsupported
	}
	return fail(404, fmt.Sprintf("no handler for route %q. route entry not found.", rq.path))
}
