package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/textproto"
	"slices"

	table "github.com/tokengrove/grove/fsm/audit"
)

// Hash is how a text is shown under a device's salt.
func Hash(salt table.Salt, text string) string {
	m := hmac.New(sha256.New, salt[:])
	m.Write([]byte(text))
	return "hmac-sha256:" + hex.EncodeToString(m.Sum(nil))
}

// veil replaces secrets by their HMACs. The zero value of raw and accessors veils all but
// accessors.
type veil struct {
	salt      table.Salt
	raw       bool // nothing
	accessors bool // accessors, too
}

// text veils a text that is not empty.
func (v *veil) text(s string) string {
	if v.raw || s == "" {
		return s
	}
	return Hash(v.salt, s)
}

func (v *veil) accessor(s string) string {
	if !v.accessors {
		return s
	}
	return v.text(s)
}

func (v *veil) auth(a *Auth) *Auth {
	if a == nil {
		return nil
	}
	out := *a
	out.ClientToken, out.Accessor = v.text(a.ClientToken), v.accessor(a.Accessor)
	return &out
}

// data veils every text below the keys that are not plain.
func (v *veil) data(m map[string]any, plain []string) map[string]any {
	if v.raw || len(m) == 0 {
		return m
	}
	out := make(map[string]any, len(m))
	for k, e := range m { // order: into a map again
		if slices.Contains(plain, k) {
			out[k] = e
		} else {
			out[k] = v.value(e)
		}
	}
	return out
}

// value veils the texts in a value; numbers, booleans and the keys of maps stay.
func (v *veil) value(e any) any {
	switch e := e.(type) {
	case string:
		return v.text(e)
	case []string:
		out := make([]string, len(e))
		for i, s := range e {
			out[i] = v.text(s)
		}
		return out
	case []any:
		out := make([]any, len(e))
		for i, x := range e {
			out[i] = v.value(x)
		}
		return out
	case map[string]any:
		return v.data(e, nil)
	case map[string]string:
		out := make(map[string]string, len(e))
		for k, s := range e { // order: into a map again
			out[k] = v.text(s)
		}
		return out
	}
	return e
}

// secretHeaders carry tokens: they are never written in clear.
var secretHeaders = []string{"X-Vault-Token", "Authorization"}

// headers picks the audited headers.
func (v *veil) headers(hs []table.Header, of map[string][]string) map[string][]string {
	var out map[string][]string
	for _, h := range hs {
		name := textproto.CanonicalMIMEHeaderKey(h.Name)
		values := of[name]
		if len(values) == 0 {
			continue
		}
		if out == nil {
			out = map[string][]string{}
		}
		shown := slices.Clone(values)
		if secret := slices.Contains(secretHeaders, name); h.HMAC || secret {
			for i, s := range shown {
				if shown[i] = v.text(s); v.raw && secret {
					shown[i] = Hash(v.salt, s)
				}
			}
		}
		out[h.Name] = shown
	}
	return out
}

func (v *veil) wrapInfo(w *WrapInfo) *WrapInfo {
	if w == nil {
		return nil
	}
	out := *w
	out.Token, out.Accessor, out.WrappedAccessor = v.text(w.Token), v.accessor(w.Accessor), v.accessor(w.WrappedAccessor)
	return &out
}
