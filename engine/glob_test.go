package engine

import "testing"

func TestGlob(t *testing.T) {
	t.Parallel()
	tests := []struct {
		pattern, s string
		want       bool
	}{
		{"", "", true}, {"", "a", false}, {"a", "a", true}, {"a", "ab", false},
		{"*", "", true}, {"*", "anything", true}, {"**", "x", true},
		{"a*", "a", true}, {"a*", "abc", true}, {"a*", "ba", false},
		{"*a", "ba", true}, {"*a", "ab", false}, {"*a*", "bab", true},
		{"a*c", "abbc", true}, {"a*c", "ac", true}, {"a*c", "abcd", false}, {"a*c", "a", false}, {"ab*b", "ab", false},
		{"a*b*c", "axxbxxc", true}, {"a*b*c", "acb", false}, {"*a*b*", "xxaxxbxx", true}, {"*aa*aa", "aaa", false},
	}
	for _, tt := range tests {
		if got := Glob(tt.pattern, tt.s); got != tt.want {
			t.Errorf("Glob(%q, %q): %v", tt.pattern, tt.s, got)
		}
	}
}
