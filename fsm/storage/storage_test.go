package storage

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestStoreIsAMap compares a Store with a map, and old ones with what they were.
func TestStoreIsAMap(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var s, kept Store
	want, then := map[string]string{}, map[string]string{}
	segments := []string{"a", "b", "a-", "a0", "é", "zz"}
	key := func() string {
		parts := make([]string, 1+r.IntN(3))
		for i := range parts {
			parts[i] = segments[r.IntN(len(segments))]
		}
		return strings.Join(parts, "/")
	}
	for i := range 5000 {
		k := key()
		switch r.IntN(10) {
		case 0:
			s = s.Delete(k)
			delete(want, k)
		case 1:
			s = s.DeletePrefix(k + "/")
			for o := range want {
				if strings.HasPrefix(o, k+"/") {
					delete(want, o)
				}
			}
		default:
			v := fmt.Sprint(i)
			s = s.Put(k, Entry{Value: []byte(v), Version: uint64(i + 1)})
			want[k] = v
		}
		if i == 2500 {
			kept = s
			for k, v := range want {
				then[k] = v
			}
		}
		if i%100 == 0 {
			compare(t, s, want)
		}
	}
	compare(t, kept, then)
}

func compare(t *testing.T, s Store, want map[string]string) {
	t.Helper()
	size := 0
	children := map[string][]string{}
	for k, v := range want {
		size += len(k) + len(v)
		if got := s.Find(k); string(got.Value) != v || got.Version == 0 {
			t.Fatalf("%q is %q, want %q", k, got.Value, v)
		}
		for i := range len(k) + 1 {
			if i == 0 || k[i-1] == '/' {
				name, _, deeper := strings.Cut(k[i:], "/")
				if deeper {
					name += "/"
				}
				children[k[:i]] = append(children[k[:i]], name)
			}
		}
	}
	if s.Len() != len(want) || s.Bytes() != size {
		t.Fatalf("%d entries of %d bytes, want %d of %d", s.Len(), s.Bytes(), len(want), size)
	}
	for prefix, names := range children {
		slices.Sort(names)
		names = slices.Compact(names)
		got := s.List(prefix, "", 1000)
		slices.Sort(got)
		if !slices.Equal(got, names) {
			t.Fatalf("below %q: %q, want %q", prefix, got, names)
		}
		if s.SumOf(prefix) != SumNames(s.List(prefix, "", 1000)) {
			t.Fatalf("the sum of %q is not that of its names", prefix)
		}
	}
	if e := s.Find("none"); e.Version != 0 {
		t.Fatalf("found %+v where nothing is", e)
	}
}

func TestListPages(t *testing.T) {
	t.Parallel()
	var s Store
	for i := range 30 {
		s = s.Put(fmt.Sprintf("p/%02d/x", i), Entry{Version: 1}).Put(fmt.Sprintf("p/%02d", i), Entry{Version: 1})
	}
	all := s.List("p/", "", 1000)
	if len(all) != 60 {
		t.Fatalf("%d names, want 60: %q", len(all), all)
	}
	var got []string
	for after := ""; ; after = got[len(got)-1] {
		page := s.List("p/", after, 7)
		if len(page) == 0 {
			break
		}
		got = append(got, page...)
	}
	if !slices.Equal(got, all) {
		t.Errorf("pages give %q\nwant %q", got, all)
	}
	if names := (Store{}).List("p/", "", 7); names != nil {
		t.Errorf("an empty store lists %q", names)
	}
	if s.SumOf("p/") == s.Delete("p/03").SumOf("p/") {
		t.Error("a name less, and the same sum")
	}
}
