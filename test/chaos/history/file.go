package history

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// line is one line of the file; one of its fields is set.
type line struct {
	Header    *Header    `json:"header,omitempty"`
	Operation *Operation `json:"op,omitempty"`
	Event     *Event     `json:"fault,omitempty"`
	Audit     *Audit     `json:"audit,omitempty"`
}

// Writer keeps a history: in a file, a line of JSON for each thing that happened, compressed by zstd
// (zstdcat shows it), and in memory for the checkers. Its methods may run at the same time.
type Writer struct {
	mu   sync.Mutex
	all  History
	file *os.File
	z    *zstd.Encoder
	json *json.Encoder
	err  error // the first
}

// Make starts a history in a new file.
func Make(path string, h Header) (*Writer, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("making the history: %w", err)
	}
	z, err := zstd.NewWriter(f, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	w := &Writer{file: f, z: z, json: json.NewEncoder(z), all: History{Header: h}}
	w.write(line{Header: &h})
	return w, w.err
}

// write is called with mu held, or before anybody else has w.
func (w *Writer) write(l line) {
	if w.err == nil {
		w.err = w.json.Encode(l)
	}
}

// Operation notes an operation that has returned.
func (w *Writer) Operation(o Operation) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Operations = append(w.all.Operations, o)
	w.write(line{Operation: &o})
}

// Event notes a fault that is over.
func (w *Writer) Event(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Events = append(w.all.Events, e)
	w.write(line{Event: &e})
}

// Close notes the audit, if there was one, ends the file and returns the history. Nothing may be
// noted afterwards.
func (w *Writer) Close(a *Audit) (*History, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.Audit = a
	if a != nil {
		w.write(line{Audit: a})
	}
	return &w.all, errors.Join(w.err, w.z.Close(), w.file.Close())
}

// Read reads a history from a file that Writer wrote. It keeps what comes before a line that was cut
// off, as a run that was killed leaves it, and returns an error with it.
func Read(path string) (*History, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	h := &History{}
	d := json.NewDecoder(bufio.NewReader(z))
	for n := 1; ; n++ {
		var l line
		if err := d.Decode(&l); err == io.EOF {
			return h, nil
		} else if err != nil {
			return h, fmt.Errorf("%s, line %d: %w", path, n, err)
		}
		h.take(l)
	}
}

func (h *History) take(l line) {
	switch {
	case l.Header != nil:
		h.Header = *l.Header
	case l.Operation != nil:
		h.Operations = append(h.Operations, *l.Operation)
	case l.Event != nil:
		h.Events = append(h.Events, *l.Event)
	case l.Audit != nil:
		h.Audit = l.Audit
	}
}
