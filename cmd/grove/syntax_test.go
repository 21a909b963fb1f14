package main

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestJSONIsReadAsHCL(t *testing.T) {
	t.Parallel()
	hcl := "cluster_name = \"a\"\nlisten = 3\nlist = [\"x\", \"y\"]\nflag = true\n" +
		"storage \"raft\" {\n path = \"p\"\n retry_join { leader_api_addr = \"u\" }\n retry_join { leader_api_addr = \"v\" }\n}\n"
	js := `{"cluster_name": "a", "listen": 3, "list": ["x", "y"], "flag": true,
		"storage": {"raft": {"path": "p", "retry_join": [{"leader_api_addr": "u"}, {"leader_api_addr": "v"}]}}}`
	a, err := parseItems(hcl)
	if err != nil {
		t.Fatal(err)
	}
	b, err := parseItems(js)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := unplaced(b), unplaced(a); !reflect.DeepEqual(got, want) {
		t.Errorf("JSON gives %v, HCL %v", got, want)
	}
}

// unplaced drops the positions.
func unplaced(items []item) []item {
	out := make([]item, 0, len(items))
	for _, it := range items {
		it.position = position{}
		if sub, ok := it.value.([]item); ok {
			it.value = unplaced(sub)
		}
		out = append(out, it)
	}
	return out
}

func TestPositions(t *testing.T) {
	t.Parallel()
	for name, text := range map[string]string{
		"hcl":  "\na = 1\n  b \"c\" {\n    d = 2\n  }\n",
		"json": "{\n\"a\": 1,\n  \"b\": {\"x\": 1,\n    \"d\": 2}\n}",
	} {
		items, err := parseItems(text)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if got, want := items[0].position, (position{2, 1}); got != want {
			t.Errorf("%s: a is at %v, want %v", name, got, want)
		}
		if got, want := items[1].position, (position{3, 3}); got != want {
			t.Errorf("%s: b is at %v, want %v", name, got, want)
		}
		sub := items[1].value.([]item)
		if got, want := sub[len(sub)-1].position, (position{4, 5}); got != want {
			t.Errorf("%s: d is at %v, want %v", name, got, want)
		}
		if got := sub[len(sub)-1].value; got != json.Number("2") {
			t.Errorf("%s: d is %v, want 2", name, got)
		}
	}
}

func FuzzParseItems(f *testing.F) {
	f.Add("a = 1")
	f.Add(`{"a": [{"b": {}}]}`)
	f.Add("listener \"tcp\" {")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parseItems(text); err != nil {
			if _, ok := err.(*positionError); !ok {
				t.Errorf("error without a position: %v", err)
			}
		}
	})
}
