package audit

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// sink is where the lines of a device go. Its methods run on the device's goroutine only.
type sink interface {
	open() error
	// write writes whole lines, and returns how many bytes are out.
	write(b []byte) (int, error)
	close()
	// single: every line is a write of its own.
	single() bool
}

// file reads the options of a file device.
func (p *reader) file(c *Config) sink {
	path := strings.TrimSpace(p.text("file_path", p.text("path", "")))
	mode := p.mode("mode")
	switch path {
	case "":
		p.fail(`"file_path" is required`)
	case "stdout":
		return stream{c.Stdout}
	case "discard":
		return stream{io.Discard}
	}
	return &file{path: path, mode: mode}
}

// stream is a place that is always open.
type stream struct{ to io.Writer }

func (s stream) open() error                 { return nil }
func (s stream) write(b []byte) (int, error) { return s.to.Write(b) }
func (s stream) close()                      {}
func (s stream) single() bool                { return false }

// file appends to a file. Whoever rotates it moves it away and has it opened again.
type file struct {
	path string
	mode os.FileMode // 0: as it is
	to   *os.File
	torn bool // the file ends within a line: the disk was full
}

func (f *file) open() error {
	made := f.mode
	if made == 0 {
		made = 0o600
	}
	err := os.MkdirAll(filepath.Dir(f.path), 0o700)
	var to *os.File
	if err == nil {
		// O_NONBLOCK: a named pipe that nobody reads is an error, and not a wait.
		to, err = os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|syscall.O_NONBLOCK, made)
	}
	if err == nil {
		err = f.chmod(to)
	}
	if err != nil {
		if to != nil {
			to.Close()
		}
		return fmt.Errorf("unable to open %q for writing: %w", f.path, err)
	}
	f.to = to
	return nil
}

// chmod gives a regular file the mode that was asked for.
func (f *file) chmod(to *os.File) error {
	st, err := to.Stat()
	if err != nil || f.mode == 0 || !st.Mode().IsRegular() || st.Mode().Perm() == f.mode {
		return err
	}
	return to.Chmod(f.mode)
}

// write begins on a new line where the last write was cut off.
func (f *file) write(b []byte) (int, error) {
	if f.torn {
		if _, err := f.to.Write([]byte("\n")); err != nil {
			return 0, err
		}
		f.torn = false
	}
	n, err := f.to.Write(b)
	if n > 0 && b[n-1] != '\n' {
		f.torn = true
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = fmt.Errorf("the disk is full: %w", err)
	}
	return n, err
}

func (f *file) close() {
	f.to.Close()
	f.to = nil
}

func (f *file) single() bool { return false }
