package httpapi

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// fileStall is how long a client may send or take nothing of a file. Files have no other bound in
// time, nor in size: they go piece by piece.
const fileStall = 60 * time.Second

// file is an answer that is no JSON.
type file struct {
	headers map[string]string
	write   func(w io.Writer) error
}

// isFile reports whether the body of an update of path is a file, which is not held in memory.
func isFile(path string) bool {
	path, ok := strings.CutPrefix(path, "/v1/")
	for i := range routes {
		if ok && routes[i].file && routes[i].path == path {
			return true
		}
	}
	return false
}

// upload is the body of a request whose deadline moves on with every piece.
type upload struct {
	body    io.Reader
	control *http.ResponseController
}

// upload returns the body of the request as a file.
func (rq *request) upload() io.Reader {
	return &upload{rq.http.Body, http.NewResponseController(rq.writer)}
}

// Read implements io.Reader.
func (u *upload) Read(b []byte) (int, error) {
	if err := u.extend(u.control.SetReadDeadline); err != nil {
		return 0, err
	}
	n, err := u.body.Read(b)
	if err == io.EOF { // what follows may take its time
		err = errors.Join(u.extendBy(u.control.SetWriteDeadline, fileAnswer))
		if err == nil {
			err = io.EOF
		}
	}
	return n, err
}

// fileAnswer is how long the answer to a whole file may take.
const fileAnswer = 15 * time.Minute

func (u *upload) extend(set func(time.Time) error) error { return u.extendBy(set, fileStall) }

// extendBy moves a deadline. A recorder in a test has none.
func (u *upload) extendBy(set func(time.Time) error, d time.Duration) error {
	if err := set(time.Now().Add(d)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return err
	}
	return nil
}

// download is an answer whose deadline moves on with every piece.
type download struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements io.Writer.
func (d *download) Write(b []byte) (int, error) {
	if err := d.control.SetWriteDeadline(time.Now().Add(fileStall)); err != nil && !errors.Is(err, http.ErrNotSupported) {
		return 0, err
	}
	n, err := d.ResponseWriter.Write(b)
	if err == nil {
		if err = d.control.Flush(); errors.Is(err, http.ErrNotSupported) {
			err = nil
		}
	}
	return n, err
}

// sendFile sends a file. When that fails in the middle, the connection is cut, so that nobody takes a
// part for the whole.
func (a *api) sendFile(w http.ResponseWriter, rq *request, f *file) {
	for k, v := range f.headers {
		w.Header().Set(k, v)
	}
	w.WriteHeader(http.StatusOK)
	if err := f.write(&download{w, http.NewResponseController(w)}); err != nil {
		a.log.Warn("a file was not sent whole", "path", rq.path, "error", err)
		panic(http.ErrAbortHandler)
	}
}
