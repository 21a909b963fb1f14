package main

import (
	"fmt"
	"net"
	"strconv"
)

// nextPort is where the reference puts the cluster port: after the API's. Port 0 stays.
func nextPort(addr string) (string, error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", fmt.Errorf("address %q: want host:port", addr)
	}
	n, err := net.LookupPort("tcp", p)
	if err != nil || n >= 65535 {
		return "", fmt.Errorf("address %q: no port after it for the cluster", addr)
	}
	if n > 0 {
		n++
	}
	return net.JoinHostPort(host, strconv.Itoa(n)), nil
}

// reachable is addr, but with a host that others can dial when it is bound to every address
// of the machine: prefer, if that is not empty, else an address of the machine.
func reachable(addr, prefer string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return addr
	}
	if ip := net.ParseIP(host); host != "" && (ip == nil || !ip.IsUnspecified()) {
		return addr
	}
	if prefer == "" {
		prefer = ownAddress()
	}
	return net.JoinHostPort(prefer, port)
}

// ownAddress is a private address of the machine, else a public one, else loopback.
func ownAddress() string {
	found := "127.0.0.1"
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return found
	}
	for _, a := range addrs {
		n, ok := a.(*net.IPNet)
		switch {
		case !ok || n.IP.To4() == nil || !n.IP.IsGlobalUnicast():
		case n.IP.IsPrivate():
			return n.IP.String()
		default:
			found = n.IP.String()
		}
	}
	return found
}
