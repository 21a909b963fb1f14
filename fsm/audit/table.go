// Package audit holds which audit devices there are and which request headers they record. What a
// device is, and how one is opened, is not known here.
//
// A Table is never changed: every change makes another one, so that who has the same pointer
// has the same table.
package audit

import (
	"fmt"
	"slices"
	"strings"
)

// Bounds of a table. Every record is written to every device.
const (
	MaxDevices = 32
	MaxHeaders = 256
)

// Salt is the key of a device's HMACs.
type Salt [32]byte

// Device is one entry of the table. Path ends in a slash. The CBOR keys are on disk: never
// reuse one.
type Device struct {
	Path        string            `cbor:"1,keyasint"`
	Type        string            `cbor:"2,keyasint"`
	Description string            `cbor:"3,keyasint,omitempty"`
	Options     map[string]string `cbor:"4,keyasint,omitempty"`
	Local       bool              `cbor:"5,keyasint,omitempty"`
	Salt        Salt              `cbor:"6,keyasint"`
}

// Header is a request header that is recorded. Name is in lower case.
type Header struct {
	Name string `cbor:"1,keyasint"`
	HMAC bool   `cbor:"2,keyasint,omitempty"`
}

// Table is all devices, sorted by path, and all headers, sorted by name.
type Table struct {
	Devices []Device
	Headers []Header
}

// Device returns the device at path.
func (t *Table) Device(path string) (Device, bool) {
	i, ok := slices.BinarySearchFunc(t.Devices, path, byPath)
	if !ok {
		return Device{}, false
	}
	return t.Devices[i], true
}

// Header returns the header with a name in lower case.
func (t *Table) Header(name string) (Header, bool) {
	i, ok := slices.BinarySearchFunc(t.Headers, name, byName)
	if !ok {
		return Header{}, false
	}
	return t.Headers[i], true
}

func byPath(d Device, path string) int { return strings.Compare(d.Path, path) }
func byName(h Header, name string) int { return strings.Compare(h.Name, name) }

// Overlaps reports whether path is one of a device, lies below one, or has one below it.
func (t *Table) Overlaps(path string) bool {
	return slices.ContainsFunc(t.Devices, func(d Device) bool {
		return strings.HasPrefix(d.Path, path) || strings.HasPrefix(path, d.Path)
	})
}

// With returns a table that also has d, instead of the device at its path if there is one.
func (t *Table) With(d Device) *Table { return &Table{with(t.Devices, d, d.Path, byPath), t.Headers} }

// Without returns a table without the device at path, and whether there was one.
func (t *Table) Without(path string) (*Table, bool) {
	devices, ok := without(t.Devices, path, byPath)
	return &Table{devices, t.Headers}, ok
}

// WithHeader returns a table that also has h, instead of the header of its name if there is one.
func (t *Table) WithHeader(h Header) *Table {
	return &Table{t.Devices, with(t.Headers, h, h.Name, byName)}
}

// WithoutHeader returns a table without the header of a name, and whether there was one.
func (t *Table) WithoutHeader(name string) (*Table, bool) {
	headers, ok := without(t.Headers, name, byName)
	return &Table{t.Devices, headers}, ok
}

// with returns a sorted list with v in it, in place of the one of its key; list stays as it is.
func with[T any](list []T, v T, key string, by func(T, string) int) []T {
	i, ok := slices.BinarySearchFunc(list, key, by)
	out := slices.Clone(list)
	if ok {
		out[i] = v
		return out
	}
	return slices.Insert(out, i, v)
}

// without returns a sorted list without what has the key, and whether it was there; list stays as it is.
func without[T any](list []T, key string, by func(T, string) int) ([]T, bool) {
	i, ok := slices.BinarySearchFunc(list, key, by)
	if !ok {
		return list, false
	}
	return slices.Delete(slices.Clone(list), i, i+1), true
}

// Check verifies that the table is sorted, within its bounds, and that no device is within
// another.
func (t *Table) Check() error {
	if len(t.Devices) > MaxDevices || len(t.Headers) > MaxHeaders {
		return fmt.Errorf("%d audit devices and %d headers, at most %d and %d", len(t.Devices), len(t.Headers), MaxDevices, MaxHeaders)
	}
	for i, d := range t.Devices {
		switch {
		case d.Type == "" || len(d.Path) < 2 || !strings.HasSuffix(d.Path, "/"):
			return fmt.Errorf("audit device %q of type %q", d.Path, d.Type)
		case i > 0 && (t.Devices[i-1].Path >= d.Path || strings.HasPrefix(d.Path, t.Devices[i-1].Path)):
			return fmt.Errorf("audit device %q after %q", d.Path, t.Devices[i-1].Path)
		}
	}
	for i, h := range t.Headers {
		if h.Name == "" || h.Name != strings.ToLower(h.Name) || (i > 0 && t.Headers[i-1].Name >= h.Name) {
			return fmt.Errorf("audited header %q at place %d", h.Name, i)
		}
	}
	return nil
}
