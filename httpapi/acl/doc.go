// Package acl parses ACL policies, compiles them, and decides requests.
//
// Contract: Parse turns text (HCL or JSON) into the rules that the machine stores;
// Compile turns the rules of all of a token's policies into an ACL. An ACL is immutable and
// safe for concurrent use. Nothing here panics on any input. The rules are the
// reference's: see the package's tests, which name each.
package acl
