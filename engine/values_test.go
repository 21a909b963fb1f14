package engine

import (
	"testing"
	"time"
)

// TestSet: what was not sent stays, and what was sent as nothing is nothing.
func TestSet(t *testing.T) {
	t.Parallel()
	v := Values{"text": "new", "ttl": time.Minute, "null": nil, "list": []string{"a"}}
	text, ttl, null, list, kept := "old", time.Hour, "old", []string{"b"}, int64(7)
	Set(v, "text", &text)
	Set(v, "ttl", &ttl)
	Set(v, "null", &null)
	Set(v, "list", &list)
	Set(v, "none", &kept)
	if text != "new" || ttl != time.Minute || null != "" || len(list) != 1 || list[0] != "a" || kept != 7 {
		t.Errorf("got %q %s %q %q %d", text, ttl, null, list, kept)
	}
}
