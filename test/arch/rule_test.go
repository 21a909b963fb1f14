package arch

import (
	"strings"
	"testing"
)

// rule is one house rule about a single Go file. check returns what breaks it.
type rule struct {
	name  string
	check func(f *file) []string
	bad   []snippet // each must be reported
	good  []snippet // none must be
}

// snippet is a made-up file: a path, and source without its package clause.
type snippet struct{ path, source string }

var rules = []rule{
	importRule, libraryRule,
	coreImportRule, coreCallRule, coreSyntaxRule, registrationRule, numberRule,
	functionRule, lengthRule, structRule, interfaceRule,
	exportedRule, todoRule, silencerRule, nameRule, sleepRule, raftClockRule,
}

func TestRules(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			for _, f := range load(t) {
				for _, finding := range r.check(f) {
					t.Error(finding)
				}
			}
		})
	}
}

// TestRulesCanFail shows every rule what it must refuse and what it must let pass.
func TestRulesCanFail(t *testing.T) {
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			if len(r.bad) == 0 || len(r.good) == 0 {
				t.Fatal("a rule needs snippets that break it and snippets that keep it")
			}
			for _, s := range r.bad {
				if len(r.check(s.file(t))) == 0 {
					t.Errorf("%s: not reported:\n%s", s.path, s.source)
				}
			}
			for _, s := range r.good {
				if found := r.check(s.file(t)); len(found) > 0 {
					t.Errorf("%s: reported %s:\n%s", s.path, strings.Join(found, "; "), s.source)
				}
			}
		})
	}
}

func (s snippet) file(t *testing.T) *file {
	t.Helper()
	f, err := parse(s.path, []byte("package p\n\n"+s.source+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	return f
}
