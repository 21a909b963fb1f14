package httpapi

import (
	"fmt"
	"slices"
	"time"
)

// schema is the fields that an operation of a route takes.
type schema map[string]kind

// values are decoded fields. A field that was not sent is not there; one that was sent as
// null has its zero value, but for durations, where null is the same as not sent.
type values map[string]any

// decode checks raw against s and lets the variables of the path win over it. It returns the
// values, the names that s does not know, and those that the path replaced, sorted.
func (s schema) decode(raw map[string]any, captured map[string]string) (out values, ignored, replaced []string, err error) {
	if len(raw) == 0 && len(captured) == 0 {
		return nil, nil, nil, nil
	}
	out = make(values, len(raw)+len(captured))
	for _, name := range sortedKeys(raw) {
		k, known := s[name]
		_, inPath := captured[name]
		switch {
		case inPath:
			if raw[name] != nil {
				replaced = append(replaced, name)
			}
		case !known:
			ignored = append(ignored, name)
		case raw[name] != nil || k != seconds && k != signed:
			if out[name], err = k.convert(raw[name]); err != nil {
				return nil, nil, nil, invalid("Field validation failed: error converting input for field %q: %v", name, err)
			}
		}
	}
	for name, v := range captured {
		out[name] = v
	}
	return out, ignored, replaced, nil
}

func sortedKeys(m map[string]any) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func (v values) text(name string) string           { s, _ := v[name].(string); return s }
func (v values) integer(name string) int64         { n, _ := v[name].(int64); return n }
func (v values) boolean(name string) bool          { b, _ := v[name].(bool); return b }
func (v values) seconds(name string) time.Duration { d, _ := v[name].(time.Duration); return d }
func (v values) strs(name string) []string         { l, _ := v[name].([]string); return l }
func (v values) pairs(name string) map[string]string {
	m, _ := v[name].(map[string]string)
	return m
}

func (v values) has(name string) bool { _, ok := v[name]; return ok }

// ignoredWarning and replacedWarning are the reference's words for fields that did not count.
func ignoredWarning(names []string) string {
	return fmt.Sprintf("Endpoint ignored these unrecognized parameters: %v", names)
}

func replacedWarning(names []string) string {
	return fmt.Sprintf("Endpoint replaced the value of these parameters with the values captured from the endpoint's path: %v", names)
}
