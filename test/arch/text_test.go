package arch

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// machineBound are texts that make a file work, or make sense, on one machine only. The
// patterns are taken apart so that this file does not match itself.
var machineBound = map[string]*regexp.Regexp{
	"a path of somebody's machine": regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])/` + `(work|root|home/\w+|Users/\w+|tmp/\w+)(/|\b)`),
	"a package registry":           regexp.MustCompile(`\b(GOPROX[Y]|GONOSUMD[B]|GOPRIVAT[E]|PIP_INDEX_UR[L]|--index-ur[l]|--registr[y])\b`),
	"a host inside a company":      regexp.MustCompile(`https?://[\w.-]+\.` + `(internal|corp|lan|intranet)\b`),
	"a private key":                regexp.MustCompile(`-----BEGIN ` + `[A-Z ]*PRIVATE KEY-----`),
}

func judgeText(name string, text []byte) []string {
	if !utf8.Valid(text) {
		return nil // a fixture in bytes
	}
	var found []string
	for i, line := range strings.Split(string(text), "\n") {
		for what, pattern := range machineBound { // order: findings only
			if pattern.MatchString(line) {
				found = append(found, fmt.Sprintf("%s:%d: %s: %s", name, i+1, what, strings.TrimSpace(line)))
			}
		}
	}
	return found
}

func TestFilesWorkEverywhere(t *testing.T) {
	all, err := texts()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		for _, finding := range judgeText(name, all[name]) {
			t.Error(finding)
		}
	}
}

func TestFilesWorkEverywhereCanFail(t *testing.T) {
	for _, bad := range []string{
		"cd /" + "work/main", `dir := "` + "/" + `tmp/build"`, "see /" + "home/someone/notes", "GO" + "PROXY=https://example.com",
		"http://git." + "corp/x", "-----BEGIN EC " + "PRIVATE KEY-----",
	} {
		if len(judgeText("a.md", []byte("fine\n"+bad))) == 0 {
			t.Errorf("not reported: %s", bad)
		}
	}
	for _, good := range []string{
		"https://github.com/tokengrove/grove", "path/work/file", "/v1/auth/token/create", "http://127.0.0.1:8200", "/var/lib/grove", "/tmpl/x",
	} {
		if found := judgeText("a.md", []byte(good)); len(found) > 0 {
			t.Errorf("reported: %v", found)
		}
	}
}
