package main

import (
	"fmt"
	"strconv"
	"time"
)

// setValue stores the text of an option in what it is kept in.
func setValue(dst any, text string) error {
	switch d := dst.(type) {
	case *string:
		*d = text
	case *bool:
		v, err := strconv.ParseBool(text)
		if err != nil {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		*d = v
	case *float64:
		v, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return fmt.Errorf("%q is not a number", text)
		}
		*d = v
	case *time.Duration:
		if n, err := strconv.ParseInt(text, 10, 64); err == nil {
			*d = time.Duration(n) * time.Second
			return nil
		}
		v, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is neither a number of seconds nor a duration such as 768h", text)
		}
		*d = v
	default:
		return fmt.Errorf("internal: option of type %T", dst)
	}
	return nil
}
