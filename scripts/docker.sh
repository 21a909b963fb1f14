# Sourced by scripts that use Docker.
# shellcheck shell=bash

loud() { printf '\n!!! %s\n\n' "$*" >&2; }

# need_compose sets compose to the command of the installed docker-compose, or ends the script.
need_compose() {
	if ! command -v docker >/dev/null 2>&1; then
		loud "NO DOCKER (Debian: apt-get install docker.io docker-compose)"
		exit 1
	fi
	if ! docker info >/dev/null 2>&1; then
		loud "DOCKER DOES NOT ANSWER: $(docker info 2>&1 | grep -iE 'denied|cannot|error' | head -n 1)"
		exit 1
	fi
	if docker compose version >/dev/null 2>&1; then
		compose=(docker compose)
	elif command -v docker-compose >/dev/null 2>&1; then
		compose=(docker-compose)
	else
		loud "NO DOCKER COMPOSE (Debian: apt-get install docker-compose)"
		exit 1
	fi
}
