package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// TestSmall goes through everything with small numbers. No time decides it.
func TestSmall(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts server processes")
	}
	var out bytes.Buffer
	if err := run([]string{"-sizes=6000", "-tree=6000", "-chain=600", "-children=50", "-load=1s"}, &out); err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + out.String())
	for _, want := range []string{"6 k tokens: restart", "resident a token", "pause of a snapshot", "6 k tokens: restore on a fresh node, state hash equal", "a follower that was down", "tree of 6 k: revoked", "chain of 600: revoked"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no line with %q", want)
		}
	}
}

// TestShape: every parent is there before its child, and tree and chain are what they are said to be.
func TestShape(t *testing.T) {
	t.Parallel()
	s := shape{tokens: 1000, tree: 500, chain: 100}
	depth := map[int]int{0: 0}
	top := map[int]int{}
	for i := 1; i <= s.tokens; i++ {
		p := s.parentOf(i)
		if _, ok := depth[p]; !ok || p >= i {
			t.Fatalf("token %d hangs from %d, which is not there", i, p)
		}
		depth[i], top[i] = depth[p]+1, top[p]
		if p == 0 {
			top[i] = i
		}
	}
	count := map[int]int{}
	for _, at := range top {
		count[at]++
	}
	if count[1] != 501 || count[s.chainTop()] != 100 || depth[s.chainEnd()] != 100 {
		t.Errorf("tree of %d, chain of %d with its end at depth %d; want 501, 100, 100", count[1], count[s.chainTop()], depth[s.chainEnd()])
	}
	if first, n := s.others(); first+n-1 != s.tokens || count[first] != family {
		t.Errorf("others from %d, %d of them; a family of %d", first, n, count[first])
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	var tb table
	tb.time("a", 4*time.Millisecond, 5*time.Millisecond)
	tb.time("b", 6*time.Millisecond, 5*time.Millisecond)
	tb.time("c", 11*time.Second, 0)
	tb.bytes("d", 399.6, 400)
	var out bytes.Buffer
	if err := tb.print(&out); err != nil {
		t.Fatal(err)
	}
	want := "| | measured | bar | |\n|---|---|---|---|\n| a | 4ms | 5ms | kept |\n| b | 6ms | 5ms | MISSED |\n| c | 11s |  |  |\n| d | 400 B | 400 B | kept |\n"
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}
