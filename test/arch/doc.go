// Package arch holds the house rules as tests that fail: who may import whom, what
// the deterministic core must not do, the budgets, and what comments owe the reader.
//
// Contract: every rule stands in the table of rules (rule_test.go) with snippets that
// break it and snippets that keep it, so that a rule which cannot fail fails itself.
// An exception is a line in a list here, with its reason; a list entry that no longer
// excuses anything fails too.
package arch
