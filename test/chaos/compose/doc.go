// Package compose is a chaos target of containers: docker-compose.yml of this repository, under a
// project name, networks, ports and data of its own, with a binary built with -tags chaos.
//
// All faults come from outside the containers. Links are cut and made lossy by iptables in the network
// namespace of a container, which nsenter reaches; packets are delayed by NFQUEUE, as kernels
// without netem have it too. The state of a node is on a small tmpfs of the host, so that its disk can
// be filled. Therefore it needs root, and a Docker daemon on the same machine.
//
// Everything that a run leaves bears its project name. Stop removes it; and the start of any run removes
// what runs left whose process is gone.
package compose
