package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/tokengrove/grove/engine"
	"github.com/tokengrove/grove/fsm"
)

// failure is an answer with an error status and the texts under "errors".
type failure struct {
	status int
	texts  []string
}

// Error implements error.
func (f *failure) Error() string { return strings.Join(f.texts, "; ") }

func fail(status int, texts ...string) *failure { return &failure{status: status, texts: texts} }

// invalid is a 400 with a plain text.
func invalid(format string, args ...any) error {
	return fail(http.StatusBadRequest, fmt.Sprintf(format, args...))
}

// listed is the form in which the reference shows errors that its handlers return as
// such, and not as an answer.
func listed(texts ...string) string {
	var b strings.Builder
	if len(texts) == 1 {
		b.WriteString("1 error occurred:\n")
	} else {
		fmt.Fprintf(&b, "%d errors occurred:\n", len(texts))
	}
	for _, t := range texts {
		fmt.Fprintf(&b, "\t* %s\n", t)
	}
	b.WriteString("\n")
	return b.String()
}

// Failures that several routes share.
var (
	errNoToken       = fail(http.StatusForbidden, "permission denied")
	errBadToken      = fail(http.StatusForbidden, listed("permission denied", "invalid token"))
	errDenied        = fail(http.StatusForbidden, listed("permission denied"))
	errUnsupported   = fail(http.StatusNotFound, listed("unsupported path"))
	errOperation     = fail(http.StatusMethodNotAllowed, listed("unsupported operation"))
	errNotFound      = fail(http.StatusNotFound)
	errNoAccessor    = fail(http.StatusBadRequest, listed("missing accessor"))
	errWrongAccessor = fail(http.StatusBadRequest, listed("invalid accessor"))
	// A secret that was asked for wrapped must not be given out unwrapped.
	errNoWrapping = fail(http.StatusBadRequest, "response wrapping is not supported yet: send no X-Vault-Wrap-TTL")
)

// errStale says that the authorisation was overtaken; the adapter evaluates again.
var errStale = errors.New("authorisation epoch has moved")

// unavailable makes a wait that ended without success a 503: a read changes nothing.
func unavailable(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return fsm.Errorf(fsm.Unavailable, "no consistent state in time: %v", err)
	}
	return err
}

// failureOf is the one table from errors to answers. A plain error is internal: its text
// stays in the log.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var denied *engine.Denied
	if errors.As(err, &denied) {
		return fail(http.StatusBadRequest, denied.Text)
	}
	var e *fsm.Error
	if !errors.As(err, &e) {
		return fail(http.StatusInternalServerError, "internal error")
	}
	switch e.Code {
	case fsm.Invalid:
		return fail(http.StatusBadRequest, e.Message)
	case fsm.Forbidden:
		return errBadToken
	case fsm.NotFound:
		return fail(http.StatusNotFound, e.Message)
	case fsm.Unavailable:
		return fail(http.StatusServiceUnavailable, e.Message)
	}
	return fail(http.StatusInternalServerError, e.Message)
}
