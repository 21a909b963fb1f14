package approle

import (
	"errors"
	"testing"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/engine/enginetest"
)

type values = engine.Values

// world is a mount of approle.
type world struct{ *enginetest.World }

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{enginetest.New(t, New())}
}

// denied wants a login to be refused, and says whom it is counted against.
func (w *world) denied(v values) string {
	w.Helper()
	_, err := w.Do(engine.Write, "login", v)
	var d *engine.Denied
	if !errors.As(err, &d) || d.Text != wrong {
		w.Fatalf("login %v: got %v, want %q", v, err, wrong)
	}
	return d.Alias
}

func (w *world) login(roleID, secretID string) *engine.Login {
	w.Helper()
	return w.Login(values{"role_id": roleID, "secret_id": secretID})
}

// role makes a role r with role ID "rid" and returns a secret ID of it and its accessor.
func (w *world) role(v values) (id, accessor string) {
	w.Helper()
	v["role_id"] = "rid"
	w.Write("role/r", v)
	data := w.Write("role/r/secret-id", nil)
	return data["secret_id"].(string), data["secret_id_accessor"].(string)
}
