#!/usr/bin/env bash
# redis.sh [--check]: Redis as `my redis-server` and `my redis-cli`. The host's own server is used where there is one.
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
    # the first is for the service's user, the others for the service itself
    unpack_debian "$(host_suite)" 'adduser init-system-helpers lsb-base' redis-server redis-tools
  fi
  version=$("$STAGE/my" redis-server --version 2>&1) || die "redis-server does not start: $version"
  [[ $version =~ ([0-9]+\.[0-9]+\.[0-9]+) ]] && version=${BASH_REMATCH[1]}
  publish "Redis $version" "$host"
fi
installed
