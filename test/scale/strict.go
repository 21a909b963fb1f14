package scale

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// strict decodes one JSON value, refuses fields that it does not know, and what follows.
func strict(line []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(line))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one value in a line")
	}
	return nil
}
