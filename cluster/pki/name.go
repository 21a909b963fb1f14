package pki

import (
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"
)

// Name is whom a certificate speaks of: a node of a cluster. Birth tells data directories apart that
// have the same node ID, one after the other.
type Name struct{ Cluster, Node, Birth string }

// uriPrefix starts the URI that a certificate carries as its only alternative name:
//
//	urn:grove:CLUSTER:NODE:BIRTH
//
// All parts are escaped, so that they may hold any character. Certificates of earlier builds have no
// birth.
const uriPrefix = "grove:"

// uri is the alternative name in a certificate.
func (n Name) uri() *url.URL {
	text := uriPrefix + url.QueryEscape(n.Cluster) + ":" + url.QueryEscape(n.Node)
	if n.Birth != "" {
		text += ":" + url.QueryEscape(n.Birth)
	}
	return &url.URL{Scheme: "urn", Opaque: text}
}

// NameOf reads the name in a certificate. It means something only after Verify.
func NameOf(c *x509.Certificate) (Name, error) {
	if len(c.URIs) != 1 || c.URIs[0].Scheme != "urn" {
		return Name{}, fmt.Errorf("the certificate names no node")
	}
	rest, ok := strings.CutPrefix(c.URIs[0].Opaque, uriPrefix)
	cluster, node, two := strings.Cut(rest, ":")
	node, birth, _ := strings.Cut(node, ":")
	if !ok || !two || strings.Contains(birth, ":") {
		return Name{}, fmt.Errorf("the certificate names no node: %q", c.URIs[0])
	}
	var n Name
	var err error
	if n.Cluster, err = url.QueryUnescape(cluster); err == nil {
		n.Node, err = url.QueryUnescape(node)
	}
	if err == nil {
		n.Birth, err = url.QueryUnescape(birth)
	}
	if err != nil || n.Cluster == "" || n.Node == "" {
		return Name{}, fmt.Errorf("the certificate names no node: %q", c.URIs[0])
	}
	return n, nil
}
