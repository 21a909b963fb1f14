package acl

import (
	"fmt"

	"github.com/hashicorp/hcl/hcl/printer"
)

// Format brings the text of a policy into canonical form, as `policy fmt` shows it. Text
// which is not a policy, and a policy in JSON, are errors.
func Format(text string) (out string, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = "", fmt.Errorf("not a policy: %v", r)
		}
	}()
	if _, err := Parse("", text); err != nil {
		return "", fmt.Errorf("failed to parse policy: %w", err)
	}
	b, err := printer.Format([]byte(text))
	if err != nil {
		return "", fmt.Errorf("failed to format policy: %w", err)
	}
	return string(b), nil
}
