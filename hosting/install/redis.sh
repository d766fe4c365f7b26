#!/usr/bin/env bash
# redis.sh [--check]: installs Redis as `my redis-server` and `my redis-cli`. If the host has a server, that one is used.
source "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
source "$HERE/debian.sh"

MINIMUM=7.0.0

if begin redis 1; then
  host=$(host_program redis-server "$MINIMUM")
  [[ -n $host ]] || need_debian redis-server "$MINIMUM"
  installable
  need_free 200

  if [[ -n $host ]]; then
    wrap_host
  else
    # adduser creates the service's user, and the others are for the service itself
    unpack_debian "$(host_suite)" 'adduser init-system-helpers lsb-base' redis-server redis-tools
  fi
  version=$("$STAGE/my" redis-server --version 2>&1) || die "redis-server does not start: $version"
  [[ $version =~ ([0-9]+\.[0-9]+\.[0-9]+) ]] && version=${BASH_REMATCH[1]}
  publish "Redis $version" "$host"
fi
installed
