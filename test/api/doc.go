// Package api is Grove's own black-box suite: what a user of the HTTP API sees, written
// against any URL.
//
//	go test ./test/api                                            starts a cluster of three
//	go test ./test/api -addr=http://127.0.0.1:8200 -token=root    uses what is there
//
// With several addresses (-addr=a,b,c) every request goes to the next node, so that
// what one test does is written on one node and checked on another.
package api
