package remote

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"syscall"
)

// Reason tells what is wrong with a server that cannot be asked, without addresses and names: these are in the texts of most errors.
func Reason(err error) string {
	var (
		timeout net.Error
		name    *net.DNSError
		trust   *tls.CertificateVerificationError
		record  tls.RecordHeaderError
	)
	switch {
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "did not answer in time"
	case errors.Is(err, errRedirect):
		return "redirects to another server, which is not followed"
	case errors.As(err, &trust):
		return "shows a certificate that is not trusted, or is of another server"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "does not speak TLS"
	case errors.As(err, &name):
		return "has a name that cannot be found"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refuses connections"
	}
	return "cannot be reached, or broke off"
}
