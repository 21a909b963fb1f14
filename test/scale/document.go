package scale

import (
	"fmt"
	"strings"
)

// Replace puts text between the marks of a part of a Markdown file:
//
//	<!-- NAME: drawn by scripts/scale -->
//	…
//	<!-- NAME: end -->
//
// so that what a document says of a run is what the run wrote.
func Replace(document, name, text string) (string, error) {
	begin, end := fmt.Sprintf("<!-- %s: drawn by scripts/scale -->\n", name), fmt.Sprintf("<!-- %s: end -->", name)
	head, rest, ok := strings.Cut(document, begin)
	if !ok {
		return "", fmt.Errorf("the document has no line %q", strings.TrimSpace(begin))
	}
	_, tail, ok := strings.Cut(rest, end)
	if !ok {
		return "", fmt.Errorf("the document has no line %q after it begins", end)
	}
	return head + begin + "\n" + strings.TrimSpace(text) + "\n\n" + end + tail, nil
}
