#!/usr/bin/env bash
# mysql.sh [--check]: installs MySQL as `my mysqld`, `my mysql` and `my mysqladmin`, and `template`, an initialised data directory
# (root@localhost without a password). Copying it takes a tenth of the time of an initialisation. If the host has a server, that one
# is used.
source "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
source "$HERE/debian.sh"

SERIES=9.7
MINIMUM=8.0.30

if begin "mysql-$SERIES" 1; then
  host=$(host_program mysqld "$MINIMUM")
  [[ -n $host ]] || need_debian mysqld "$MINIMUM"
  [[ -z $host ]] || need "install MySQL's client programs too" mysql mysqladmin
  installable
  need_free 1000

  options=()
  if [[ -n $host ]]; then
    wrap_host
  else
    # only scripts like mysqldumpslow need perl
    unpack_debian sid perl mysql-server-core mysql-client-core
    options+=(--basedir="$STAGE/usr")
  fi
  version=$("$STAGE/my" mysqld --no-defaults --version 2>&1) || die "mysqld does not start: $version"
  [[ $version =~ ([0-9]+\.[0-9]+\.[0-9]+) ]] && version=${BASH_REMATCH[1]}

  note "initialising the data directory template"
  # mysqld refuses to run as root unless --user=root is given
  ((EUID)) || options+=(--user=root)
  "$STAGE/my" mysqld --no-defaults "${options[@]}" --datadir="$STAGE/template" --initialize-insecure --skip-log-bin --innodb-doublewrite=OFF \
    --innodb-redo-log-capacity=8M --log-error-verbosity=1 >"$STAGE/log" 2>&1 || { tail -5 "$STAGE/log" >&2; die "mysqld --initialize-insecure failed"; }
  # each copy gets its own identity and keys
  rm -f -- "$STAGE/log" "$STAGE/template/auto.cnf" "$STAGE"/template/*.pem
  find "$STAGE/template" -type f -size +64k -exec fallocate --dig-holes {} \; 2>/dev/null || true
  publish "MySQL $version" "$host"
fi
installed
