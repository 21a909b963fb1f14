package httpapi

import (
	"net/http"
	"slices"

	"github.com/tokengrove/grove/fsm/token"
)

var (
	capabilityFields         = schema{"token": text, "path": strs, "paths": strs}
	capabilityAccessorFields = schema{"accessor": text, "path": strs, "paths": strs}
)

// capabilities answers 400 where there is no token; the reference makes 500 of that.
func capabilities(rq *request) (*response, error) {
	id := token.ID(rq.text("token"))
	rec, ok, err := rq.named(id)
	switch {
	case err != nil:
		return nil, err
	case len(rq.paths()) == 0:
		return nil, errNoPaths
	case id == "":
		return nil, fail(http.StatusBadRequest, listed("missing token"))
	case !ok:
		return nil, fail(http.StatusBadRequest, listed("invalid token"))
	}
	return rq.capabilitiesOf(&rec)
}

func capabilitiesSelf(rq *request) (*response, error) { return rq.capabilitiesOf(&rq.caller) }

func capabilitiesAccessor(rq *request) (*response, error) {
	rec, err := rq.findAccessor()
	if err != nil {
		return nil, err
	}
	return rq.capabilitiesOf(&rec)
}

var errNoPaths = fail(http.StatusBadRequest, "paths must be supplied")

// paths takes the deprecated field if the current one is empty.
func (rq *request) paths() []string {
	if paths := rq.strs("paths"); len(paths) > 0 {
		return paths
	}
	return rq.strs("path")
}

func (rq *request) capabilitiesOf(rec *token.Record) (*response, error) {
	paths := rq.paths()
	switch {
	case len(paths) == 0:
		return nil, errNoPaths
	case slices.Contains(paths, ""):
		return nil, fail(http.StatusBadRequest, listed("missing path"))
	}
	rules := rq.api.rulesOf(rec)
	data := map[string]any{}
	for _, p := range paths {
		cs := rules.Capabilities(p)
		data[p] = cs
		if len(paths) == 1 {
			data["capabilities"] = cs
		}
	}
	return &response{data: data, flat: true, mount: "system"}, nil
}

// resultantACL says only whether the caller is root: what a UI needs to know first.
func resultantACL(rq *request) (*response, error) {
	return &response{data: map[string]any{"root": rq.decision.Root}, flat: true, mount: "system"}, nil
}
