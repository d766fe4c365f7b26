#!/bin/bash
# Does what the official image does: the first start initialises the folder and runs /docker-entrypoint-initdb.d.
set -eo pipefail
[ "${1#-}" = "$1" ] || set -- mysqld "$@"
if [ "$1" = mysqld ] && [ ! -d /var/lib/mysql/mysql ]; then
  mysqld --defaults-file=/etc/my.cnf --initialize-insecure --log-error-verbosity=1
  mysqld --defaults-file=/etc/my.cnf --skip-networking & pid=$!
  until mysqladmin --defaults-file=/etc/my.cnf -uroot ping >/dev/null 2>&1; do sleep 0.2; done
  password=$(cat "${MYSQL_ROOT_PASSWORD_FILE}")
  mysql --defaults-file=/etc/my.cnf -uroot -e "ALTER USER 'root'@'localhost' IDENTIFIED BY '$password'; CREATE DATABASE IF NOT EXISTS \`${MYSQL_DATABASE:-mysql}\`;"
  export MYSQL_PWD=$password
  for file in /docker-entrypoint-initdb.d/*.sh; do [ ! -e "$file" ] || bash "$file"; done
  mysqladmin --defaults-file=/etc/my.cnf -uroot shutdown
  unset MYSQL_PWD
  wait $pid
fi
[ "$1" != mysqld ] || { shift; set -- mysqld --defaults-file=/etc/my.cnf "$@"; }
exec "$@"
