package queue

import (
	"math"
	"math/rand/v2"
	"sort"
)

// zipf picks numbers from 0, of which the k-th has a weight of 1/(k+1)^skew.
type zipf struct{ upTo []float64 } // shares, summed up

func newZipf(n int, skew float64) zipf {
	z := zipf{make([]float64, n)}
	sum := 0.0
	for k := range n {
		sum += math.Pow(float64(k+1), -skew)
		z.upTo[k] = sum
	}
	for k := range z.upTo {
		z.upTo[k] /= sum
	}
	return z
}

func (z zipf) pick(r *rand.Rand) int {
	u := r.Float64()
	return min(sort.Search(len(z.upTo), func(k int) bool { return z.upTo[k] > u }), len(z.upTo)-1)
}

// share is the part of the weight that number k has.
func (z zipf) share(k int) float64 {
	if k == 0 {
		return z.upTo[0]
	}
	return z.upTo[k] - z.upTo[k-1]
}
