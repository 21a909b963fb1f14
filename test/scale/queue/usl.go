package queue

import "math"

// Law is Gunther's universal scalability law: X(n) = λ·n / (1 + σ·(n-1) + κ·n·(n-1)). With
// κ = 0 it is Amdahl's, of which σ is the serial part.
type Law struct{ Lambda, Sigma, Kappa float64 }

// At is the throughput with n.
func (l Law) At(n float64) float64 {
	return l.Lambda * n / (1 + l.Sigma*(n-1) + l.Kappa*n*(n-1))
}

// Peak is the n with the highest throughput; infinite without κ.
func (l Law) Peak() float64 {
	if l.Kappa == 0 {
		return math.Inf(1)
	}
	return math.Sqrt((1 - l.Sigma) / l.Kappa)
}

// Fit finds the law of the smallest squares of n/X, which is linear in its coefficients.
// Neither σ nor κ gets below 0: nothing scales better than by its number, if measured rightly.
func Fit(n, x []float64) Law {
	columns := []func(float64) float64{
		func(float64) float64 { return 1 }, func(n float64) float64 { return n - 1 }, func(n float64) float64 { return n * (n - 1) },
	}
	for _, keep := range [][]int{{0, 1, 2}, {0, 1}, {0, 2}, {0}} {
		if len(n) < len(keep) {
			continue
		}
		a, ok := leastSquares(n, x, columns, keep)
		if ok && a[0] > 0 && a[1] >= 0 && a[2] >= 0 {
			return Law{1 / a[0], a[1] / a[0], a[2] / a[0]}
		}
	}
	return Law{}
}

// leastSquares solves the normal equations for the columns that are kept; others are 0.
func leastSquares(n, x []float64, columns []func(float64) float64, keep []int) (a [3]float64, ok bool) {
	k := len(keep)
	m := make([][]float64, k)
	for i := range m {
		m[i] = make([]float64, k+1)
		for p := range n {
			ci := columns[keep[i]](n[p])
			for j := range k {
				m[i][j] += ci * columns[keep[j]](n[p])
			}
			m[i][k] += ci * n[p] / x[p]
		}
	}
	for i := range k { // Gauss-Jordan, largest pivot first
		best := i
		for r := i + 1; r < k; r++ {
			if math.Abs(m[r][i]) > math.Abs(m[best][i]) {
				best = r
			}
		}
		m[i], m[best] = m[best], m[i]
		if math.Abs(m[i][i]) < 1e-12 {
			return a, false
		}
		for r := range k {
			if f := m[r][i] / m[i][i]; r != i {
				for j := i; j <= k; j++ {
					m[r][j] -= f * m[i][j]
				}
			}
		}
	}
	for i, c := range keep {
		a[c] = m[i][k] / m[i][i]
	}
	return a, true
}
