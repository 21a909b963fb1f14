// Package outside has small servers that speak the published APIs which login methods ask: those of Kubernetes and of
// GitHub. They are as strict as the real ones where a client could be wrong, and each has a hook by which it fails.
package outside
