// Package lease runs leases of the webhook engine through clusters of real nodes, with a receiver that comes and goes.
package lease
