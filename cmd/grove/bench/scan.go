package bench

import (
	"bytes"
	"encoding/json"
	"strings"
)

// textOf finds the first field in a JSON object, at any depth, whose value is a text without escapes.
// It does not parse. In valid JSON a quote that is not escaped begins or ends a text, and what follows an end is
// no letter; so name, with an unescaped quote before it and one behind, is a whole text, and with a colon
// it is a key. (Without a look at the escape, a key that itself begins with a quote would do: {"\"client_token":…}.)
func textOf(body, quotedName []byte) ([]byte, bool) {
	for {
		i := bytes.Index(body, quotedName)
		if i < 0 {
			return nil, false
		}
		escaped := i > 0 && body[i-1] == '\\'
		body = bytes.TrimLeft(body[i+len(quotedName):], space)
		if escaped || len(body) == 0 || body[0] != ':' {
			continue
		}
		value := bytes.TrimLeft(body[1:], space)
		if len(value) == 0 || value[0] != '"' {
			continue
		}
		end := bytes.IndexByte(value[1:], '"')
		if end >= 0 && plainText(value[1:end+1]) {
			return value[1 : end+1], true
		}
	}
}

const space = " \t\r\n"

// plainText reports whether the text may stand in a header and in JSON as it is.
func plainText(text []byte) bool {
	for _, b := range text {
		if b <= ' ' || b > '~' || b == '"' || b == '\\' {
			return false
		}
	}
	return len(text) > 0
}

// reason is what an error answer says, short.
func reason(body []byte) string {
	var in struct {
		Errors []string `json:"errors"`
	}
	text := string(body)
	if json.Unmarshal(body, &in) == nil && len(in.Errors) > 0 {
		text = strings.Join(in.Errors, "; ")
	}
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 200 {
		text = text[:200] + "…"
	}
	return text
}
