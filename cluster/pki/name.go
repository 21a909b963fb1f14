package pki

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// Name is whom a certificate speaks of: a node of a cluster.
type Name struct{ Cluster, Node string }

// uriPrefix starts the URI that a certificate carries as its only alternative name:
//
//	urn:grove:CLUSTER:NODE
//
// Both parts are escaped, so that they may hold any character.
const uriPrefix = "grove:"

// uri is the alternative name in a certificate.
func (n Name) uri() *url.URL {
	return &url.URL{Scheme: "urn", Opaque: uriPrefix + url.QueryEscape(n.Cluster) + ":" + url.QueryEscape(n.Node)}
}

// NameOf reads the name in a certificate. It means something only after Verify.
func NameOf(c *x509.Certificate) (Name, error) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != "urn" {
		return Name{}, fmt.Errorf("the certificate names no node")
	}
	rest, ok := strings.CutPrefix(c.URIs[0].Opaque, uriPrefix)
	cluster, node, two := strings.Cut(rest, ":")
	if !ok || !two || strings.Contains(node, ":") {
		return Name{}, fmt.Errorf("the certificate names no node: %q", c.URIs[0])
	}
	var n Name
	var err error
	if n.Cluster, err = url.QueryUnescape(cluster); err == nil {
		n.Node, err = url.QueryUnescape(node)
	}
	if err != nil || n.Cluster == "" || n.Node == "" {
		return Name{}, fmt.Errorf("the certificate names no node: %q", c.URIs[0])
	}
	return n, nil
}
