package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// decoder turns the items of one block into Go values. Options that the reference knows and
// Grove has no use for are warned of; unknown ones are errors.
type decoder struct {
	where    string         // for messages, as `listener "tcp"`; "" at the top
	values   map[string]any // option → *string, *bool, *int, *int64, *float64, *time.Duration or *[]string
	blocks   map[string]func(item) error
	ignored  []string
	warnings *[]string
}

func (d *decoder) decode(items []item) error {
	for _, it := range items {
		if len(it.keys) == 0 {
			continue
		}
		key := it.keys[0]
		block, isBlock := d.blocks[key]
		dst, isValue := d.values[key]
		switch {
		case isBlock:
			if err := block(it); err != nil {
				return err
			}
		case isValue && len(it.keys) > 1:
			return it.errorf("option %q is written as a block: want %s = …", key, key)
		case isValue:
			if err := setValue(dst, it.value); err != nil {
				return it.errorf("option %q: %v", key, err)
			}
		case slices.Contains(d.ignored, key):
			*d.warnings = append(*d.warnings, it.errorf("option %q%s has no effect in Grove", key, d.in()).Error())
		default:
			return it.errorf("unknown option %q%s", key, d.in())
		}
	}
	return nil
}

// body decodes the braces of a block.
func (d *decoder) body(it item) error {
	items, ok := it.value.([]item)
	if !ok {
		return it.errorf("%s: want a block in braces", it.keys[0])
	}
	return d.decode(items)
}

func (d *decoder) in() string {
	if d.where == "" {
		return ""
	}
	return " in " + d.where
}

// label is what a block is labelled with: `storage "raft"`.
func (it item) label() string {
	if len(it.keys) < 2 {
		return ""
	}
	return it.keys[1]
}

// setValue stores the value of an option. Like the reference it takes true, "true" and 1
// for a flag, and numbers where text is wanted, but no text where a number is.
func setValue(dst, v any) error {
	switch d := dst.(type) {
	case *string:
		return setText(d, v)
	case *bool:
		b, err := strconv.ParseBool(fmt.Sprint(v))
		if _, isBlock := v.([]item); err != nil || isBlock {
			return fmt.Errorf("want true or false, got %s", describe(v))
		}
		*d = b
	case *int:
		n, err := strconv.Atoi(scalar(v))
		if err != nil {
			return fmt.Errorf("want a whole number, got %s", describe(v))
		}
		*d = n
	case *int64:
		n, err := strconv.ParseInt(scalar(v), 10, 64)
		if err != nil {
			return fmt.Errorf("want a whole number, got %s", describe(v))
		}
		*d = n
	case *float64:
		f, err := strconv.ParseFloat(scalar(v), 64)
		if err != nil {
			return fmt.Errorf("want a number, got %s", describe(v))
		}
		*d = f
	case *time.Duration:
		t, err := parseDuration(scalar(v))
		if err != nil {
			return fmt.Errorf("want a number of seconds or a duration such as \"768h\", got %s", describe(v))
		}
		*d = t
	case *[]string:
		return setTexts(d, v)
	default:
		return fmt.Errorf("internal: option of type %T", dst)
	}
	return nil
}

func setText(dst *string, v any) error {
	switch v := v.(type) {
	case string:
		*dst = v
	case json.Number:
		*dst = v.String()
	default:
		return fmt.Errorf("want text, got %s", describe(v))
	}
	return nil
}

// setTexts takes a list, or text with commas.
func setTexts(dst *[]string, v any) error {
	*dst = nil
	if s, ok := v.(string); ok {
		for _, part := range strings.Split(s, ",") {
			*dst = append(*dst, strings.TrimSpace(part))
		}
		return nil
	}
	list, ok := v.([]any)
	if !ok {
		return fmt.Errorf("want a list of texts, got %s", describe(v))
	}
	for _, e := range list {
		s, ok := e.(string)
		if !ok {
			return fmt.Errorf("want a list of texts, one of them is %s", describe(e))
		}
		*dst = append(*dst, s)
	}
	return nil
}

// scalar is the text of a number or of quoted text, "" for anything else.
func scalar(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

// describe names a value of the wrong type in an error.
func describe(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case string:
		return strconv.Quote(v)
	case json.Number, bool:
		return fmt.Sprint(v)
	case []any:
		return "a list"
	}
	return "a block"
}

// parseDuration takes seconds, Go's durations, and days ("30d") as the reference does.
func parseDuration(s string) (time.Duration, error) {
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return seconds(n, 1)
	}
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 64)
		if err != nil {
			return 0, err
		}
		return seconds(n, 24*60*60)
	}
	return time.ParseDuration(s)
}

func seconds(n, unit int64) (time.Duration, error) {
	if most := int64(1<<63-1) / int64(time.Second) / unit; n > most || n < -most {
		return 0, fmt.Errorf("%d is too long", n)
	}
	return time.Duration(n*unit) * time.Second, nil
}
