package bench

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http/httputil"
	"strconv"
)

// maxAnswer bounds the body of an answer.
const maxAnswer = 16 << 20

// errMalformed is what is no HTTP/1.x.
var errMalformed = errors.New("the answer is not HTTP")

// answer reads one HTTP/1.x response, and of its header only what frames the body.
type answer struct {
	in     *bufio.Reader
	status int
	body   []byte // read is appended to it
	keep   bool   // the connection may be used again

	length  int64 // -1: not given
	chunked bool
}

func (a *answer) read() error {
	for { // 1xx come before the answer
		if err := a.head(); err != nil {
			return fmt.Errorf("reading the answer: %w", err)
		}
		if a.status >= 200 {
			break
		}
	}
	if err := a.content(); err != nil {
		return fmt.Errorf("reading the answer's body: %w", err)
	}
	return nil
}

func (a *answer) head() error {
	line, err := a.line()
	if err != nil {
		return err
	}
	proto, rest, _ := bytes.Cut(line, []byte(" "))
	if !bytes.HasPrefix(proto, []byte("HTTP/1.")) || len(rest) < 3 {
		return errMalformed
	}
	if a.status = number(rest[:3]); a.status < 100 || len(rest) > 3 && rest[3] != ' ' {
		return errMalformed
	}
	a.keep = len(proto) == 8 && proto[7] != '0'
	a.length, a.chunked = -1, false
	for {
		if line, err = a.line(); err != nil || len(line) == 0 {
			return err
		}
		if err := a.field(line); err != nil {
			return err
		}
	}
}

// number is a text of digits, or -1.
func number(digits []byte) int {
	n := 0
	for _, d := range digits {
		if d < '0' || d > '9' {
			return -1
		}
		n = n*10 + int(d-'0')
	}
	return n
}

func (a *answer) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok {
		return errMalformed
	}
	switch len(name) { // most fields need no look
	case len("Connection"), len("Content-Length"), len("Transfer-Encoding"):
	default:
		return nil
	}
	value = bytes.TrimSpace(value)
	switch {
	case bytes.EqualFold(name, []byte("Connection")):
		if bytes.EqualFold(value, []byte("close")) {
			a.keep = false
		}
	case bytes.EqualFold(name, []byte("Content-Length")):
		n, err := strconv.ParseInt(string(value), 10, 64)
		if err != nil || n < 0 {
			return errMalformed
		}
		a.length = n
	case bytes.EqualFold(name, []byte("Transfer-Encoding")):
		a.chunked = bytes.EqualFold(value, []byte("chunked"))
	}
	return nil
}

func (a *answer) content() error {
	switch {
	case a.status == 204 || a.status == 304:
		return nil
	case a.chunked:
		if err := a.all(httputil.NewChunkedReader(a.in)); err != nil {
			return err
		}
		for { // trailers, up to an empty line
			if line, err := a.line(); err != nil || len(line) == 0 {
				return err
			}
		}
	case a.length > maxAnswer:
		return fmt.Errorf("%d bytes, at most %d", a.length, maxAnswer)
	case a.length >= 0:
		n := int(a.length)
		if cap(a.body) < n {
			a.body = make([]byte, 0, n+n/2)
		}
		a.body = a.body[:n]
		_, err := io.ReadFull(a.in, a.body)
		return err
	}
	a.keep = false // the body ends with the connection
	return a.all(a.in)
}

// all reads to the end of r.
func (a *answer) all(r io.Reader) error {
	b := bytes.NewBuffer(a.body)
	n, err := b.ReadFrom(io.LimitReader(r, maxAnswer+1))
	a.body = b.Bytes()
	if n > maxAnswer {
		return fmt.Errorf("more than %d bytes", maxAnswer)
	}
	return err
}

// line is the next line without its end, valid until the next read.
func (a *answer) line() ([]byte, error) {
	line, err := a.in.ReadSlice('\n')
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return bytes.TrimRight(line, "\r\n"), err
}
