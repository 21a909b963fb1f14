package fsm

import "time"

// TrustStatus is how far a rotation of the cluster's authority is. It is declared here, because
// cluster fills it and httpapi shows it, and neither knows the other.
type TrustStatus struct {
	Version     uint64            // counts the steps of all rotations
	Rotating    bool              // a rotation is under way
	Authorities []AuthorityStatus // that the leader believes
	Waiting     []string          // nodes that the next step waits for
}

// AuthorityStatus is one authority of the cluster.
type AuthorityStatus struct {
	Fingerprint string // SHA-256 of its certificate
	Signs       bool
	End         time.Time
}
