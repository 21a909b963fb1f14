package acl

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/hcl/scanner"
	"github.com/hashicorp/hcl/hcl/token"
	jsonscanner "github.com/hashicorp/hcl/json/scanner"
	jsontoken "github.com/hashicorp/hcl/json/token"
)

// maxDepth bounds how deep blocks and lists nest in a policy. The parser calls itself for
// every level, and a stack that is exhausted ends the process: it cannot be recovered.
const maxDepth = 64

// checkDepth refuses text that nests too deep. It reads the text with the scanner that the
// parser uses, so that braces in strings and comments do not count.
func checkDepth(text string) error {
	next := hclSteps(text)
	if strings.HasPrefix(strings.TrimSpace(text), "{") {
		next = jsonSteps(text)
	}
	depth := 0
	for {
		step, more := next()
		if !more {
			return nil
		}
		if depth = max(depth+step, 0); depth > maxDepth {
			return fmt.Errorf("blocks and lists nest deeper than %d", maxDepth)
		}
	}
}

// hclSteps returns a function that steps through the tokens: 1 for an opening one, -1 for a
// closing one.
func hclSteps(text string) func() (int, bool) {
	// The parser replaces line ends like this first: both must read the same bytes.
	sc := scanner.New([]byte(strings.ReplaceAll(text, "\r\n", "\n")))
	sc.Error = func(token.Pos, string) {} // the parser will say it
	return func() (int, bool) {
		switch sc.Scan().Type {
		case token.EOF:
			return 0, false
		case token.LBRACE, token.LBRACK:
			return 1, true
		case token.RBRACE, token.RBRACK:
			return -1, true
		}
		return 0, true
	}
}

func jsonSteps(text string) func() (int, bool) {
	sc := jsonscanner.New([]byte(text))
	sc.Error = func(jsontoken.Pos, string) {}
	return func() (int, bool) {
		switch sc.Scan().Type {
		case jsontoken.EOF:
			return 0, false
		case jsontoken.LBRACE, jsontoken.LBRACK:
			return 1, true
		case jsontoken.RBRACE, jsontoken.RBRACK:
			return -1, true
		}
		return 0, true
	}
}
