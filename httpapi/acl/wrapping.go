package acl

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tokengrove/grove/fsm/policy"
)

// controlGroup is checked and then has no effect, as in the reference's open edition.
type controlGroup struct {
	TTL     any                `hcl:"ttl"`
	Factors map[string]*factor `hcl:"factor"`
}

type factor struct {
	Identity               *approval `hcl:"identity"`
	ControlledCapabilities []string  `hcl:"controlled_capabilities"`
}

type approval struct {
	GroupIDs          []string `hcl:"group_ids"`
	GroupNames        []string `hcl:"group_names"`
	ApprovalsRequired int      `hcl:"approvals"`
}

// wrapping reads the bounds of the wrapping TTL, and checks a control group.
func (s *stanza) wrapping(r *policy.Rule) error {
	var err error
	if r.MinWrappingTTL, err = duration(s.Min); err != nil {
		return fmt.Errorf("error parsing min_wrapping_ttl: %w", err)
	}
	if r.MaxWrappingTTL, err = duration(s.Max); err != nil {
		return fmt.Errorf("error parsing max_wrapping_ttl: %w", err)
	}
	if s.ControlGroup != nil {
		names, err := s.names()
		if err != nil {
			return err
		}
		if err := s.ControlGroup.check(names); err != nil {
			return err
		}
	}
	if r.MinWrappingTTL != 0 && r.MaxWrappingTTL != 0 && r.MaxWrappingTTL < r.MinWrappingTTL {
		return errors.New("max_wrapping_ttl cannot be less than min_wrapping_ttl")
	}
	return nil
}

func (g *controlGroup) check(capabilities []string) error {
	if _, err := duration(g.TTL); err != nil {
		return fmt.Errorf("error parsing control group max ttl: %w", err)
	}
	for _, f := range g.Factors {
		switch {
		case f == nil || f.Identity == nil:
			return errors.New("no control_group factor provided")
		case f.Identity.ApprovalsRequired <= 0 || len(f.Identity.GroupIDs)+len(f.Identity.GroupNames) == 0:
			return errors.New("must provide more than one identity group and approvals > 0")
		}
		for _, c := range f.ControlledCapabilities {
			if !slices.Contains(capabilities, c) {
				return errors.New("control group factor capabilities must be a subset of the policy's capabilities")
			}
		}
	}
	if len(g.Factors) == 0 {
		return errors.New("no control group factors provided")
	}
	return nil
}

// duration reads seconds as a number or a string, days as in "2d", or a Go duration.
func duration(v any) (time.Duration, error) {
	switch v := v.(type) {
	case nil:
		return 0, nil
	case int:
		return times(int64(v), time.Second)
	case float64:
		if v < math.MinInt64 || v >= math.MaxInt64 {
			return 0, errTooLong
		}
		return times(int64(v), time.Second)
	case string:
		if v == "" {
			return 0, nil
		}
		if n, err := strconv.ParseInt(v, 10, 64); err == nil {
			return times(n, time.Second)
		}
		if days, ok := strings.CutSuffix(v, "d"); ok {
			n, err := strconv.ParseInt(days, 10, 64)
			if err != nil {
				return 0, err
			}
			return times(n, 24*time.Hour)
		}
		return time.ParseDuration(v)
	}
	return 0, errors.New("could not parse duration from input")
}

var errTooLong = errors.New("the duration is too long")

func times(n int64, unit time.Duration) (time.Duration, error) {
	d := time.Duration(n) * unit
	if d/unit != time.Duration(n) {
		return 0, errTooLong
	}
	return d, nil
}
