package engine

import "time"

// Kind is the type of a field. The conversions are as lenient as the reference's.
type Kind uint8

// The kinds of fields, and the Go types that Values holds for them.
const (
	Text    Kind = 1 // string
	Integer Kind = 2 // int64
	Boolean Kind = 3 // bool
	Seconds Kind = 4 // time.Duration, not negative, whole seconds: "1h30m", 3600 or "3600"
	Strings Kind = 5 // []string: a list, or a string with commas
	Array   Kind = 6 // []string: a list; a string is one element
	Pairs   Kind = 7 // map[string]string
	Object  Kind = 8 // map[string]any, as it was sent: numbers are json.Number
	// SignedSeconds is Seconds that may be negative.
	SignedSeconds Kind = 9
)

// Fields are what an operation takes. The variables of the path are among them by themselves.
type Fields map[string]Kind

// With returns f and the fields of others.
func (f Fields) With(others ...Fields) Fields {
	all := Fields{}
	for _, fs := range append(others, f) {
		for name, k := range fs { // order: a map of them
			all[name] = k
		}
	}
	return all
}

// Values are decoded fields. What was not sent is not there.
type Values map[string]any

// Has reports whether a field was sent.
func (v Values) Has(name string) bool { _, ok := v[name]; return ok }

// Set changes *to to a field if it was sent. T is the Go type of the field's kind.
func Set[V ~map[string]any, T string | int64 | bool | time.Duration | []string | map[string]string](v V, name string, to *T) {
	if x, ok := v[name]; ok {
		*to, _ = x.(T)
	}
}

// Text returns a Text field, or a variable of the path.
func (v Values) Text(name string) string { s, _ := v[name].(string); return s }

// Integer returns an Integer field.
func (v Values) Integer(name string) int64 { n, _ := v[name].(int64); return n }

// Boolean returns a Boolean field.
func (v Values) Boolean(name string) bool { b, _ := v[name].(bool); return b }

// Seconds returns a Seconds or SignedSeconds field.
func (v Values) Seconds(name string) time.Duration { d, _ := v[name].(time.Duration); return d }

// Strings returns a Strings or Array field.
func (v Values) Strings(name string) []string { l, _ := v[name].([]string); return l }

// Pairs returns a Pairs field.
func (v Values) Pairs(name string) map[string]string { m, _ := v[name].(map[string]string); return m }

// Object returns an Object field.
func (v Values) Object(name string) map[string]any { m, _ := v[name].(map[string]any); return m }
