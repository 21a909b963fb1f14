package approle

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// metadata reads what a secret ID carries: a JSON object of strings, also in base64, or "key=value,…".
func metadata(text string) (map[string]string, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil, nil
	}
	if b, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(b)
	}
	out := map[string]string{}
	if json.Unmarshal([]byte(text), &out) == nil {
		return out, nil
	}
	out = map[string]string{}
	for pair := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(pair, "=")
		key, value = strings.TrimSpace(key), strings.TrimSpace(value)
		switch {
		case strings.TrimSpace(pair) == "":
			continue
		case !ok:
			return nil, errors.New("invalid <key,value> format")
		case key == "" || value == "":
			return nil, fmt.Errorf("invalid <key,value> pair: key: %q value: %q", key, value)
		}
		out[key] = value
	}
	return out, nil
}
