package scale

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/tokengrove/grove/test/scale/queue"
)

var fullModel = flag.Bool("scale.model", false, "run the model in full, and draw what it says into docs/scale.md")

// TestModel asks the model all that docs/scale.md shows; without -scale.model in small, to
// see that every study can be answered.
func TestModel(t *testing.T) {
	if underRace {
		t.Skip("takes too long under the race detector, which has nothing to find here")
	}
	part := 1.0
	if !*fullModel {
		part = 0.02
	}
	text := document(t)
	for _, st := range studies() {
		f, err := st.ask(part)
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range f.series {
			for _, a := range f.answers[i] {
				if a.simulated.Rate <= 0 || a.formula.Rate <= 0 || a.simulated.P99 < a.simulated.P50 {
					t.Errorf("%s, %s at %g: %+v, %+v", st.name, s.name, a.x, a.simulated, a.formula)
				}
			}
		}
		text = replaced(t, text, "model-"+st.name, f.table())
		if *fullModel {
			save(t, f.charts())
		}
	}
	costs := figureFile(t, "scale-costs.jsonl")
	check, err := checkTable(costs)
	if err != nil {
		t.Fatal(err)
	}
	text = replaced(t, text, "check", check)
	if *fullModel {
		if err := os.WriteFile(filepath.Join(docs, "scale.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// TestMove runs the move; in full it is part of the document.
func TestMove(t *testing.T) {
	clients, requests := 180, 30_000
	if *fullModel {
		clients, requests = 1152, 400_000
	}
	var runs [2]queue.Result
	for i, live := range []bool{false, true} {
		r, err := queue.Run(moving(clients, requests, live))
		if err != nil {
			t.Fatal(err)
		}
		if *fullModel && len(r.Pauses) != 1 {
			t.Errorf("%d moves, want one", len(r.Pauses))
		}
		runs[i] = r
	}
	text := replaced(t, document(t), "move", moveText(runs[0], runs[1]))
	if !*fullModel {
		return
	}
	if err := moveChart(runs[0], runs[1]).Save(filepath.Join(docs, "scale-model-move.svg")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(docs, "scale.md"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, "scale.md"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func replaced(t *testing.T, text, name, part string) string {
	t.Helper()
	text, err := Replace(text, name, part)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
