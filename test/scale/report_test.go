package scale

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tokengrove/grove/test/scale/chart"
	"github.com/tokengrove/grove/test/scale/queue"
)

// docs is where the figures and what is drawn from them are kept.
const docs = "../../docs"

var draw = flag.Bool("scale.draw", false, "draw the plots and tables of docs/scale.md from the files of figures beside it")

func figureFile(t *testing.T, name string) Figures {
	t.Helper()
	got, err := ReadFigureFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestDocument: what docs/scale.md says was measured is what the files beside it say. With
// -scale.draw it makes it so.
func TestDocument(t *testing.T) {
	growth, costs := figureFile(t, "scale.jsonl"), figureFile(t, "scale-costs.jsonl")
	text, err := os.ReadFile(filepath.Join(docs, "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	sweep, err := ReadSweepFile(filepath.Join(docs, "scale-clients.jsonl"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	for _, part := range []struct{ name, text string }{{"growth", growth.Table()}, {"costs", costs.CostTable()}, {"sweep", SweepText(sweep)}} {
		if want, err = Replace(want, part.name, part.text); err != nil {
			t.Fatal(err)
		}
	}
	charts := growth.Charts()
	if len(sweep) > 0 {
		maps.Copy(charts, SweepCharts(sweep))
	}
	if *draw {
		save(t, charts)
		if err := os.WriteFile(filepath.Join(docs, "scale.md"), []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if want != string(text) {
		t.Error("docs/scale.md does not say what the figures beside it say: scripts/scale -draw")
	}
	for _, name := range slices.Sorted(maps.Keys(charts)) {
		if _, err := os.Stat(filepath.Join(docs, name)); err != nil || !strings.Contains(want, "("+name+")") {
			t.Errorf("plot %s: %v, or docs/scale.md does not show it", name, err)
		}
	}
}

func save(t *testing.T, charts map[string]chart.Chart) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(charts)) {
		if err := charts[name].Save(filepath.Join(docs, name)); err != nil {
			t.Error(err)
		}
	}
}

func TestFiguresRoundTrip(t *testing.T) {
	var b bytes.Buffer
	origin := Origin{Date: "2026-11-24", Cores: 2, Go: "go1", OS: "linux/amd64"}
	rec, err := NewRecorder(&b, origin)
	if err != nil {
		t.Fatal(err)
	}
	want := []Figure{{Tokens: 5, Name: "a", Value: 1.5, Unit: "µs", Count: 3}, {Tokens: 5, Name: "a", Value: 2.5, Unit: "µs", Count: 3}}
	for _, f := range want {
		if err := rec.Record(f); err != nil {
			t.Fatal(err)
		}
	}
	got, err := ReadFigures(&b)
	if err != nil || got.Origin != origin || !slices.Equal(got.All, want) {
		t.Errorf("got %+v, %v", got, err)
	}
	if f, ok := got.Of("a", 5); !ok || f != want[1] {
		t.Errorf("Of gives %+v, want the last", f)
	}
	if _, ok := got.Of("a", 6); ok {
		t.Error("Of finds another size's figure")
	}
}

func TestReadFiguresRefuses(t *testing.T) {
	const origin = `{"origin":{"date":"d","cores":1,"go":"g","os":"o"}}` + "\n"
	for name, text := range map[string]string{
		"empty": "", "no origin": `{"tokens":1,"name":"a","value":1,"unit":"B","count":1}`, "unknown field": origin + `{"names":"a"}`,
		"half a line": origin + `{"tokens":1,"na`, "two in a line": origin + `{"tokens":1}{"tokens":2}`,
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := ReadFigures(strings.NewReader(text)); err == nil {
				t.Errorf("no error, got %+v", got)
			}
		})
	}
}

func TestReadSweep(t *testing.T) {
	const good = `{"workload":"create","clients":4,"rate":100.5,"latency_ms":{"p50":1,"p99":3},"nodes":["a"]}`
	all, err := ReadSweep(strings.NewReader(good + "\n\n" + strings.Replace(good, ":4", ":1", 1) + "\n"))
	if err != nil || len(all) != 2 || all[0].Clients != 4 || all[0].Rate != 100.5 || all[0].Latency.P99 != 3 {
		t.Fatalf("got %+v, %v", all, err)
	}
	if text := SweepText(all); !strings.Contains(text, "| create | 4 | 100/s | 3.00 ms |") || strings.Contains(SweepText(nil), "|") {
		t.Errorf("the text of the sweep is %q", text)
	}
	line := SweepCharts(all)["scale-clients-rate.svg"].Lines
	if len(line) != 1 || line[0].Name != "create" || line[0].Points[0].X != 1 || line[0].Points[1].X != 4 {
		t.Errorf("the chart has %+v, want one line over clients in ascending order", line)
	}
	for name, text := range map[string]string{
		"empty": "", "no p99": `{"workload":"a","clients":1,"rate":1}`, "no clients": `{"workload":"a","rate":1,"latency_ms":{"p99":1}}`,
		"failed requests": `{"workload":"a","clients":1,"rate":1,"errors":2,"latency_ms":{"p99":1}}`, "no JSON": "x",
	} {
		if got, err := ReadSweep(strings.NewReader(text)); err == nil {
			t.Errorf("%s: no error, got %+v", name, got)
		}
	}
}

func TestReplace(t *testing.T) {
	const doc = "a\n<!-- x: drawn by scripts/scale -->\nold\n<!-- x: end -->\nb\n"
	got, err := Replace(doc, "x", "new\n")
	const want = "a\n<!-- x: drawn by scripts/scale -->\n\nnew\n\n<!-- x: end -->\nb\n"
	if err != nil || got != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
	if again, err := Replace(got, "x", "new"); err != nil || again != got {
		t.Errorf("a second time it gives %q, %v", again, err)
	}
	for _, bad := range []string{"", "<!-- x: drawn by scripts/scale -->\n", "<!-- x: end --><!-- x: drawn by scripts/scale -->\n"} {
		if got, err := Replace(bad, "x", "new"); err == nil {
			t.Errorf("%q gives %q, want an error", bad, got)
		}
	}
}

func TestFigureString(t *testing.T) {
	for want, f := range map[string]Figure{
		"1.50 µs": {Value: 1.5, Unit: "µs"}, "1.50 ms": {Value: 1500, Unit: "µs"}, "12.3 s": {Value: 12345, Unit: "ms"}, "254 k/s": {Value: 253_900, Unit: "/s"},
		"44.0 B": {Value: 44, Unit: "B"}, "43.2 MB": {Value: 43_220_615, Unit: "B"}, "0 µs": {Unit: "µs"}, "9999 /s": {Value: 9999, Unit: "/s"},
	} {
		if got := f.String(); got != want {
			t.Errorf("%+v is %q, want %q", f, got, want)
		}
	}
	for n, want := range map[int]string{10_000: "10 k", 1_000_000: "1 M", 1_500_000: "1.5 M", 4321: "4321"} {
		if got := count(n); got != want {
			t.Errorf("count(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestQuantile(t *testing.T) {
	var none, ten timing
	for i := range 10 {
		ten.add(time.Duration(10 - i))
	}
	for _, c := range []struct {
		t    *timing
		q    float64
		want time.Duration
	}{{&none, 0.5, 0}, {&ten, 0.5, 5}, {&ten, 0.99, 10}, {&ten, 1, 10}, {&ten, 0, 1}, {&ten, 0.1, 1}} {
		if got := c.t.quantile(c.q); got != c.want {
			t.Errorf("quantile %g of %v = %d, want %d", c.q, c.t.all, got, c.want)
		}
	}
}

func TestPausesSince(t *testing.T) {
	earlier := pauses{counts: []uint64{1, 0, 2}}
	later := pauses{counts: []uint64{1, 9, 3}, buckets: []float64{0, 1e-6, 2e-6, 4e-6}}
	if n := later.since(earlier); n != 10 {
		t.Errorf("%d pauses, want 10", n)
	}
	for q, want := range map[float64]time.Duration{0.5: 2 * time.Microsecond, 0.99: 4 * time.Microsecond, 1: 4 * time.Microsecond} {
		if got := later.quantileSince(earlier, q); got != want {
			t.Errorf("quantile %g is %s, want %s", q, got, want)
		}
	}
	if got := later.quantileSince(later, 1); got != 0 {
		t.Errorf("no pause is %s long", got)
	}
}

func TestOptionsValidate(t *testing.T) {
	good := Options{Tokens: least, Samples: batch, Chain: 2, Dir: "d"}
	if err := good.Validate(); err != nil {
		t.Fatal(err)
	}
	for i, spoil := range []func(*Options){
		func(o *Options) { o.Tokens-- }, func(o *Options) { o.Samples-- }, func(o *Options) { o.Chain-- }, func(o *Options) { o.Dir = "" },
	} {
		o := good
		if spoil(&o); o.Validate() == nil {
			t.Errorf("case %d: %+v is allowed", i, o)
		}
	}
}

// TestConstantsNeedTheirFigures: a missing figure is named, and is not zero in silence.
func TestConstantsNeedTheirFigures(t *testing.T) {
	_, err := Constants(Figures{}, Figures{}, queue.Measured)
	if err == nil || !strings.Contains(err.Error(), "http server cpu") {
		t.Errorf("got %v, want an error that names the figure", err)
	}
}

// TestConstantsAreThoseOfTheFiles: the documented constants of the model are those that
// docs/scale*.jsonl hold, to the two digits that they are written with.
func TestConstantsAreThoseOfTheFiles(t *testing.T) {
	got := queue.Measured
	want, err := Constants(figureFile(t, "scale-costs.jsonl"), figureFile(t, "scale.jsonl"), got)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		got, want time.Duration
	}{
		{"Server", got.Server, want.Server}, {"Client", got.Client, want.Client}, {"Entry", got.Entry, want.Entry}, {"Follower", got.Follower, want.Follower},
		{"Command", got.Command, want.Command}, {"Apply", got.Apply, want.Apply}, {"Forward", got.Forward, want.Forward}, {"Round", got.Round, want.Round},
		{"Sync", got.Sync, want.Sync}, {"Row", got.Row, want.Row},
	} {
		if diff := fmt.Sprintf("%.1f", float64(c.got)/float64(c.want)); diff != "1.0" {
			t.Errorf("queue.Measured.%s is %s, the files say %s", c.name, c.got, c.want)
		}
	}
}
