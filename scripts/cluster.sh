# Sourced by scripts/bench and .ci/run: throw-away dev clusters on free ports.
# shellcheck shell=bash

# free_base prints a port P such that the ports of a dev cluster of three nodes are free: API,
# cluster and gossip on P, P+1, P+2 and on the same plus 10 and 20. It stays below the ports
# that the system gives to outgoing connections.
free_base() {
	local base offset
	while :; do
		base=$((20000 + RANDOM % 12000))
		for offset in 0 1 2 10 11 12 20 21 22; do
			if (exec 3<>"/dev/tcp/127.0.0.1/$((base + offset))") 2>/dev/null; then
				continue 2
			fi
		done
		echo "$base"
		return
	done
}

# start_cluster BINARY NODES LOG starts `grove server -dev` with the root token "root", and
# waits until all nodes answer and vote. It sets cluster_pid and cluster_addrs (an array).
start_cluster() {
	local binary=$1 nodes=$2 log=$3 base i
	base=$(free_base)
	cluster_addrs=()
	for ((i = 0; i < nodes; i++)); do
		cluster_addrs+=("http://127.0.0.1:$((base + 10 * i))")
	done
	"$binary" server -dev -dev-nodes="$nodes" -dev-root-token-id=root -dev-listen-address="127.0.0.1:$base" >"$log" 2>&1 &
	cluster_pid=$!
	for ((i = 0; i < 300; i++)); do
		if ! kill -0 "$cluster_pid" 2>/dev/null; then
			break
		fi
		if cluster_answers "$binary"; then
			return 0
		fi
		sleep 0.1
	done
	echo "the dev cluster of $nodes did not come up in 30 s; its log ends with" >&2
	tail -n 40 "$log" >&2
	stop_cluster
	return 1
}

# cluster_answers BINARY: reports whether the root token works on every node, and all vote.
cluster_answers() {
	local addr voters
	for addr in "${cluster_addrs[@]}"; do
		VAULT_ADDR=$addr VAULT_TOKEN=root timeout 5 "$1" token lookup >/dev/null 2>&1 || return 1
	done
	voters=$(VAULT_ADDR=${cluster_addrs[0]} VAULT_TOKEN=root timeout 5 "$1" operator raft list-peers 2>/dev/null | grep -c 'true$')
	[ "$voters" = "${#cluster_addrs[@]}" ]
}

# stop_cluster ends what start_cluster started, by its pid: asks first, kills after 10 s.
stop_cluster() {
	local i
	[ -n "${cluster_pid:-}" ] || return 0
	kill "$cluster_pid" 2>/dev/null || true
	for ((i = 0; i < 100; i++)); do
		kill -0 "$cluster_pid" 2>/dev/null || break
		sleep 0.1
	done
	kill -9 "$cluster_pid" 2>/dev/null || true
	wait "$cluster_pid" 2>/dev/null || true
	cluster_pid=
}
