#!/usr/bin/env bash
# secrets.sh FOLDER: creates the secrets of this machine that do not exist yet. It never changes an existing file, so a file that you
# add (a connection string to RDS, NaverPay's client secret) is used as it is. To rotate a secret, delete its file and deploy.
#
# There is a folder per service and a file per key, named like the environment variable. Only the owner can enter the folder, but the
# users inside the containers can read the files.
set -euo pipefail
cd -- "$1"
umask 022
mkdir -p mysql redis schema api workers payment-sandbox keycloak grafana
chmod 700 .

new() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
keep() { [[ -s $1 ]] || { rm -f "$1" && printf '%s' "$2" >"$1"; }; }
sha256() { printf '%s' "$1" | sha256sum | cut -d' ' -f1; }

for user in root migrate api workers; do keep "mysql/$user-password" "$(new)"; done
mysql() { printf 'Server=mysql;Port=3306;User ID=%s;Password=%s;Database=commerce' "$1" "$(<"mysql/$1-password")"; }
keep schema/ConnectionStrings__commerce "$(mysql migrate)"
keep api/ConnectionStrings__commerce "$(mysql api)"
keep workers/ConnectionStrings__commerce "$(mysql workers)"

for user in api workers; do keep "redis/$user-password" "$(new)"; done
# Nobody may run the commands that manage a server (FLUSHALL, KEYS, CONFIG SET, SHUTDOWN, ACL …). INFO and CONFIG GET are allowed,
# because they identify its incarnation.
rights='resetkeys ~* resetchannels &* +@all -@admin -@dangerous +info +config|get +role'
rm -f redis/users.acl
printf 'user default on nopass resetkeys resetchannels -@all +ping\nuser api on #%s %s\nuser workers on #%s %s\n' \
  "$(sha256 "$(<redis/api-password)")" "$rights" "$(sha256 "$(<redis/workers-password)")" "$rights" >redis/users.acl
for user in api workers; do
  keep "$user/ConnectionStrings__redis" "redis:6379,user=$user,password=$(<"redis/$user-password")"
  keep "$user/ConnectionStrings__kafka" kafka:9092
done
keep schema/ConnectionStrings__kafka kafka:9092

# This is the sandbox's secret until it is replaced by NaverPay's.
keep payment-sandbox/Sandbox__ClientSecret "$(new)"
for user in api workers; do keep "$user/Payments__Gateway__ClientSecret" "$(<payment-sandbox/Sandbox__ClientSecret)"; done
for service in keycloak grafana; do keep "$service/admin-password" "$(new)"; done
find . -mindepth 1 -type d -exec chmod 755 {} + -o -type f -exec chmod 444 {} +
