package engine

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// parseCIDR reads a prefix or a single address.
func parseCIDR(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil && !strings.Contains(s, "/") {
		var a netip.Addr
		if a, err = netip.ParseAddr(s); err == nil && a.Zone() == "" {
			p = netip.PrefixFrom(a, a.BitLen())
		}
	}
	if err != nil || !p.IsValid() {
		return p, fmt.Errorf("error parsing address %q: Unable to convert %q to an IPv4 or IPv6 address, or a UNIX Socket", s, s)
	}
	return p, nil
}

// ParseCIDRs returns prefixes as they are stored: one of a single address is the address.
func ParseCIDRs(in []string) ([]string, error) {
	out := make([]string, 0, len(in))
	for _, s := range in {
		p, err := parseCIDR(s)
		switch {
		case err != nil:
			return nil, err
		case p.IsSingleIP():
			out = append(out, p.Addr().String())
		default:
			out = append(out, p.String())
		}
	}
	return out, nil
}

// Admits reports whether one of the stored prefixes holds the client's address; none
// admit everybody.
func Admits(cidrs []string, remote string) bool {
	if len(cidrs) == 0 {
		return true
	}
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		return false
	}
	addr, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	addr = addr.Unmap().WithZone("")
	return slices.ContainsFunc(cidrs, func(c string) bool {
		p, err := parseCIDR(c)
		return err == nil && p.Contains(addr)
	})
}

// Inside reports whether each of some prefixes lies within one of the outer ones; without outer
// ones everything does.
func Inside(inner, outer []string) bool {
	if len(outer) == 0 {
		return true
	}
	for _, s := range inner {
		p, err := parseCIDR(s)
		if err != nil || !slices.ContainsFunc(outer, func(o string) bool {
			q, err := parseCIDR(o)
			return err == nil && q.Bits() <= p.Bits() && q.Contains(p.Addr())
		}) {
			return false
		}
	}
	return true
}
