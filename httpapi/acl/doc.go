// Package acl parses ACL policies, compiles them, and decides requests.
//
// Contract: Parse turns text (HCL or JSON) into the rules that the machine stores;
// Compile turns the rules of all of a token's policies into an ACL. An ACL is immutable and
// safe for concurrent use. Nothing here panics or exhausts the stack, whatever the input, and
// what Parse returns is valid UTF-8, because the machine stops at text that is not.
//
// Invariants: a decision for a path is made by exactly one permission, which all policies
// with the same pattern made together; which one it is does not depend on the order of the
// policies. The rules are the reference's, of version 1.21, with three of its later security
// fixes: a deny below a listed folder also counts for LIST of the folder with its slash; the
// most specific rule that grants list wins among those that no deny outranks; and values of
// "policies" are compared in lower case, as they are stored.
package acl
