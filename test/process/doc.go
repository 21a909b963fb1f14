// Package process tests Grove as its operators run it: one process a node, from the
// built binary and a configuration file, ended with SIGKILL. The tests talk HTTP only.
package process
