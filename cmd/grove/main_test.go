package main

import (
	"reflect"
	"testing"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want []string }{
		{[]string{"server", "-dev", "-dev-nodes=3"}, []string{"server", "--dev", "--dev-nodes=3"}},
		{[]string{"server", "--dev", "-config", "x"}, []string{"server", "--dev", "--config", "x"}},
		{[]string{"write", "-f", "p", "-"}, []string{"write", "-f", "p", "-"}},
		{[]string{"renew", "-i=1h"}, []string{"renew", "-i=1h"}},
		{[]string{"x", "-1h", "-5"}, []string{"x", "-1h", "-5"}},
		{[]string{"x", "-a-b", "--", "-c-d"}, []string{"x", "--a-b", "--", "-c-d"}},
		{[]string{"x", "key=-value", ""}, []string{"x", "key=-value", ""}},
	} {
		if got := normalize(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("normalize(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}
