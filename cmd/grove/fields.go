package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// fieldsOf reads key=value arguments: key=@file takes the file, key=- standard input; a lone
// "-" or @file is a whole JSON object. A key that comes again makes a list.
func (s *session) fieldsOf(args []string) (map[string]any, error) {
	out := map[string]any{}
	for _, a := range args {
		k, v, ok := strings.Cut(a, "=")
		if a == "-" || strings.HasPrefix(a, "@") {
			if err := s.object(out, a); err != nil {
				return nil, fmt.Errorf("argument %q: %w", a, err)
			}
			continue
		}
		if !ok || k == "" {
			return nil, fmt.Errorf("argument %q: want key=value, @file or -", a)
		}
		text, err := s.expand(v)
		if err != nil {
			return nil, fmt.Errorf("argument %q: %w", a, err)
		}
		switch old := out[k].(type) {
		case nil:
			out[k] = text
		case []any:
			out[k] = append(old, text)
		default:
			out[k] = []any{old, text}
		}
	}
	return out, nil
}

// object reads a JSON object into fields. Numbers stay as they are written.
func (s *session) object(into map[string]any, arg string) error {
	text, err := s.expand(arg)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader([]byte(text)))
	d.UseNumber()
	if err := d.Decode(&into); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	return nil
}

// queryOf makes a query of key=value arguments, for requests without a body.
func (s *session) queryOf(args []string) (url.Values, error) {
	fields, err := s.fieldsOf(args)
	if err != nil {
		return nil, err
	}
	q := url.Values{}
	for k, v := range fields {
		if list, ok := v.([]any); ok {
			for _, e := range list {
				q.Add(k, plain(e))
			}
			continue
		}
		q.Set(k, plain(v))
	}
	return q, nil
}

// expand reads what "-" and "@file" stand for; `\@` is a plain "@".
func (s *session) expand(v string) (string, error) {
	switch {
	case v == "-":
		b, err := io.ReadAll(io.LimitReader(s.env.stdin, maxAnswer))
		return string(b), err
	case strings.HasPrefix(v, "@"):
		b, err := os.ReadFile(v[1:])
		return string(b), err
	case strings.HasPrefix(v, `\@`):
		return v[1:], nil
	}
	return v, nil
}
