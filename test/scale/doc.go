// Package scale measures how Grove grows, on the real packages and in process, and draws
// what it measured; test/scale/queue models how it would go on, and test/scale/move checks
// the protocol by which a tree would change its group.
//
// Contract: a measurement writes Figures, one JSON line each, and judges none of them: no
// time decides a test. What the tests check is exact: how many tokens died, that a restored
// machine is at the same index, that every figure is there. Counts and time are bounded by
// flags, so that CI can run the smallest size in seconds:
//
//	go test ./test/scale -run '^TestMeasure$' -args -scale.sizes=10000,1000000 -scale.out=FILE
//
// scripts/scale wraps it.
//
// Measured and modelled figures never meet in one table or line: a modelled line is dashed.
package scale
