// Package pki holds the keys and certificates of a cluster: its authorities, the credentials
// of a node, and the secrets by which a new node gets in.
//
// Contract:
//   - a certificate names a cluster and a node, and nothing else; Verify believes it only if one
//     of the cluster's own authorities has signed it. No other trust exists;
//   - a private key leaves the process only through Credentials.Save, into a file that nobody
//     but its owner may read, and through Grant, for a new member;
//   - a join token or a cluster key is never sent: a key pair is derived from it, and TLS proves
//     the possession of that.
//
// All keys are Ed25519. The values are immutable after they were made, and safe for
// concurrent use.
package pki
