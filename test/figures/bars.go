package main

// The bars: what Grove's goals ask of three nodes, as ratios to null of the same repetition.
const (
	p99Bar   = 25.0 // ms, at p99Clients
	aloneBar = 1.5  // latency of one client's write, to that of a bare Raft

	p99Clients = 32
)

// rateBar returns the least ratio of a cell's rate to that of null; 0: none is set.
func rateBar(c cell) float64 {
	bars := map[cell]float64{
		{"lookup", 32}: 0.7, {"create", 32}: 0.3, {"use", 32}: 0.3, {"renew", 32}: 0.3, {"revoke", 32}: 0.2,
		{"create", 256}: 0.45, {"use", 256}: 0.45, {"renew", 256}: 0.45, {"revoke", 256}: 0.35,
	}
	return bars[c]
}

// The figures that have bars.
const (
	rateToNull    = "rate_to_null"
	p99Millis     = "p99_ms"
	latencyToBare = "latency_to_bare"
)

// verdict is what the tables say.
func (b bar) verdict() string {
	if b.Pass {
		return "pass"
	}
	return "**FAIL**"
}

// barOf compares a median, as it was measured and not as the tables round it, with what is asked for.
func barOf(k key, figure string, s stat, asked float64, reached func(median float64) bool) bar {
	return bar{k, figure, asked, s.median, s.low, s.high, reached(s.median)}
}

// bars compares everything that was measured and has a bar.
func (r *record) bars() (all []bar) {
	for _, links := range []string{plain, secure} {
		for _, c := range cells {
			for _, t := range []string{leader, spread} {
				k := key{links, t, c.workload, c.clients}
				asked := rateBar(c)
				if s := r.ratio(k); asked > 0 && s.n > 0 {
					all = append(all, barOf(k, rateToNull, s, asked, func(x float64) bool { return x >= asked }))
				}
				if s := r.values(k, p99Of); c.clients == p99Clients && s.n > 0 {
					all = append(all, barOf(k, p99Millis, s, p99Bar, func(x float64) bool { return x < p99Bar }))
				}
			}
		}
	}
	if _, _, s := r.aloneStats(); s.n > 0 {
		all = append(all, barOf(key{}, latencyToBare, s, aloneBar, func(x float64) bool { return x <= aloneBar }))
	}
	return all
}

// bar finds one of them.
func (r *record) bar(k key, figure string) (bar, bool) {
	for _, b := range r.bars() {
		if b.key == k && b.Figure == figure {
			return b, true
		}
	}
	return bar{}, false
}

// aloneStats are the latencies of one client alone: of a bare Raft, of Propose, and their ratio in the same
// repetition.
func (r *record) aloneStats() (bare, own, ratio stat) {
	under, over := map[int]float64{}, map[int]float64{}
	var bares, owns, ratios []float64
	for _, a := range r.Alone {
		switch a.Name {
		case bareApply:
			under[a.Repetition], bares = a.P50, append(bares, a.P50)
		case propose:
			over[a.Repetition], owns = a.P50, append(owns, a.P50)
		}
	}
	for rep, p := range over { // order: statOf sorts
		if under[rep] > 0 {
			ratios = append(ratios, p/under[rep])
		}
	}
	return statOf(bares), statOf(owns), statOf(ratios)
}
