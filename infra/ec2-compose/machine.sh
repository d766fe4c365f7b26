#!/usr/bin/env bash
# The part of ./commerce deploy that runs on the machine, in $FOLDER. It needs only bash, Docker and its compose plugin.
#
#   deploy TAG    puts the release in $FOLDER/next into service; if that fails, the previous release keeps running
#   rollback      puts the previous release into service
#   status | logs [SERVICE...] | backup >FILE | restore <FILE
#
# The current release is in $FOLDER. releases/N-TAG keeps the files of each release (its images stay as well). So the folder of a
# service, and with it the container of a database, is the same for all releases.
set -Eeuo pipefail
trap 'echo "machine: line $LINENO failed: $BASH_COMMAND" >&2' ERR
FOLDER=${FOLDER:-/opt/commerce}
cd "$FOLDER"
FILES=(docker-compose.yaml .env mysql-users.sh proxy observability)
STORES=(mysql redis kafka)
HEALTHY_WITHIN=${HEALTHY_WITHIN:-120} KEEP=5

die() { printf 'machine: %s\n' "$*" >&2; exit 1; }
say() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }
compose() { docker compose --project-directory "$FOLDER" -f "$FOLDER/docker-compose.yaml" "$@" </dev/null; }
# Prints those of the services that the manifest has. An external server has no container.
having() { compose config --services | grep -Fx "${@/#/-e}" || true; }
ids() { compose ps --quiet --all "$1"; }
state() { docker inspect --format '{{.State.Status}} {{with .State.Health}}{{.Status}}{{end}}' "$1" 2>/dev/null; }

lock() {
  if ! mkdir lock 2>/dev/null; then
    die "somebody else is deploying: $(cat lock/who 2>/dev/null). If nobody is: rmdir the folder $FOLDER/lock"
  fi
  echo "${SUDO_USER:-$(id -un)} from ${SSH_CLIENT%% *} since $(date -u +%FT%TZ), $*" >lock/who
  trap 'rm -rf "$FOLDER/lock"' EXIT
  trap 'exit 130' INT TERM HUP
}

# healthy CONTAINER: waits until it is healthy. If it does not become healthy, prints the end of its log.
healthy() {
  local now deadline=$((SECONDS + HEALTHY_WITHIN))
  while now=$(state "$1"); do
    case $now in
      "running healthy") return 0 ;;
      exited* | dead* | restarting*) break ;;
    esac
    ((SECONDS < deadline)) || break
    sleep 0.5
  done
  say "container ${1:0:12} is not healthy: ${now:-gone}. The end of its log:"
  docker logs --tail 20 "$1" >&2 2>&1 || true
  return 1
}

# Replaces the containers of the Api one by one. A new one starts, and when it is healthy, an old one drains and stops. The proxy
# finds both by DNS.
replace_api() {
  local old fresh new
  for old in $(ids api); do
    # After a failed deploy this container already belongs to the right release.
    [[ $(configuration_of "$old") != "$(variable CONFIGURATION)" || $(state "$old") != "running healthy" ]] || continue
    local before
    before=$(ids api)
    compose up --detach --no-deps --no-recreate --quiet-pull --scale "api=$(($(wc -w <<<"$before") + 1))" api >/dev/null 2>&1 || return 1
    fresh=$(comm -13 <(sort <<<"$before") <(ids api | sort))
    for new in $fresh; do
      if ! healthy "$new"; then
        docker rm --force "$new" >/dev/null
        return 1
      fi
    done
    say "api: ${fresh:0:12} is healthy, ${old:0:12} drains"
    docker stop --time 45 "$old" >/dev/null && docker rm "$old" >/dev/null
  done
  # On the first deploy, and after a crash, there may be too few containers.
  compose up --detach --no-deps --no-recreate api >/dev/null 2>&1
  for new in $(ids api); do healthy "$new" || return 1; done
}

configuration_of() { docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" | sed -n 's/^CONFIGURATION=//p'; }
variable() { sed -n "s/^$1=//p" .env | tail -n 1; }

# Brings the running services to the state of the files. If a step fails, the shop keeps working.
switch() {
  local stores id
  mapfile -t stores < <(having "${STORES[@]}")
  say "stores: ${stores[*]:-external}"
  compose up --detach --wait --quiet-pull "${stores[@]}" >/dev/null 2>&1 || { compose ps "${stores[@]}" >&2; return 1; }
  [[ " ${stores[*]} " != *" mysql "* ]] || compose exec -T mysql bash /docker-entrypoint-initdb.d/users.sh || return 1
  say "schema: migrating"
  compose run --rm --no-deps -T schema >schema.log 2>&1 || { tail -n 20 schema.log >&2; return 1; }
  replace_api || return 1
  say "workers"
  compose up --detach --no-deps workers >/dev/null 2>&1 || return 1
  for id in $(ids workers); do healthy "$id" || return 1; done
  say "proxy, and the services of the profiles"
  compose run --rm --no-deps -T proxy-volumes >/dev/null 2>&1 || return 1
  compose up --detach --wait --no-deps proxy $(optional) >/dev/null 2>&1 || { compose ps >&2; return 1; }
  compose exec -T proxy caddy reload --config /etc/caddy/Caddyfile --adapter caddyfile >/dev/null 2>&1 || return 1
  verify
}

optional() { compose config --services | grep -Fx -e payment-sandbox -e keycloak -e otel-collector -e prometheus -e grafana || true; }

verify() {
  local domain code
  domain=$(variable DOMAIN)
  for _ in $(seq 20); do
    # The request goes to this machine's own address, because the name may not point here yet. The certificate is not checked.
    code=$(curl --silent --insecure --output /dev/null --write-out '%{http_code}' --max-time 5 --resolve "$domain:443:127.0.0.1" "https://$domain/health" || true)
    [[ $code != 200 ]] || break
    sleep 1
  done
  [[ $code == 200 ]] || { say "https://$domain/health answers $code"; return 1; }
  say "audit"
  compose exec -T workers dotnet Commerce.Workers.dll audit --within 60 >audit.log 2>&1 || { cat audit.log >&2; return 1; }
}

install() { # install FOLDER: its files become those that run
  local file
  for file in "${FILES[@]}"; do
    # The files are copied into the existing folders, because containers have them mounted.
    if [[ -d $1/$file ]]; then mkdir -p "$file" && cp -r "$1/$file/." "$file/"; else cat "$1/$file" >"$file"; fi
  done
  # Digests of the files and secrets. A service whose settings or secrets have changed is replaced.
  printf 'CONFIGURATION=%s\nREDIS_USERS_VERSION=%s\n' "$(digest docker-compose.yaml .env secrets)" "$(digest secrets/redis/users.acl)" >>.env
  chmod 600 .env
}

digest() { find "$@" -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12; }

current() { cat releases/current 2>/dev/null || true; }

deploy() {
  local tag=$1 number before release
  lock "deploy $tag"
  before=$(current)
  mkdir -p releases
  number=$(($(ls releases | sed -n 's/^\([0-9]*\)-.*/\1/p' | sort -n | tail -n 1) + 1))
  release=releases/$number-$tag
  mkdir -p "$release" secrets
  for file in "${FILES[@]}"; do cp -r "next/$file" "$release/"; done
  bash bin/secrets.sh secrets
  install "$release"
  if switch; then
    basename "$release" >releases/current
    echo "$before" >"$release/before"
    say "$tag runs. Previous release: ${before:-none}"
    prune
    return
  fi
  [[ -n $before ]] || die "$tag did not start, and there is no earlier release. See: ./commerce deploy logs"
  say "$tag did not start; going back to $before"
  mv "$release" "releases/failed-$number-$tag"
  install "releases/$before"
  switch || die "$before did not start either. See: ./commerce deploy status, logs"
  die "$tag did not start; $before runs as before"
}

rollback() {
  local now target
  lock rollback
  now=$(current)
  target=$(cat "releases/${now:?nothing is deployed}/before" 2>/dev/null || true)
  [[ -n $target && -d releases/$target ]] || die "there is no release before $now"
  say "going back from $now to $target"
  install "releases/$target"
  switch || die "$target did not start. See: ./commerce deploy status, logs"
  echo "$target" >releases/current
  say "$target runs"
}

# Deletes old releases and their images, except those that run or that a rollback may need.
prune() {
  local release
  for release in $(ls releases | sed -n 's/^\([0-9]*\)-.*/\1 &/p' | sort -n | head -n "-$KEEP" | cut -d' ' -f2); do
    for image in $(sed -n 's/^[A-Z_]*_IMAGE=//p' "releases/$release/.env"); do
      grep -qsF "=$image" .env releases/*/.env --exclude-dir="$release" || docker image rm "$image" >/dev/null 2>&1 || true
    done
    rm -rf "releases/$release"
  done
  rm -rf releases/failed-*
}

status() {
  echo "release   $(current || true)"
  [[ ! -d lock ]] || echo "lock      $(cat lock/who)"
  compose ps --format 'table {{.Name}}\t{{.Image}}\t{{.Status}}'
  docker stats --no-stream --format 'table {{.Name}}\t{{.MemUsage}}\t{{.CPUPerc}}'
  df -h "$FOLDER" | awk '{ print "disk      " $4 " free of " $2 }' | tail -n 1
  compose exec -T workers dotnet Commerce.Workers.dll audit --within 10 || true
}

# Prints a consistent backup of the database, taken while the shop is open. Redis and Kafka are not included, because their data is
# restored from the database.
backup() {
  [[ -n $(having mysql) ]] || die "MySQL is an external server here: use its own snapshots"
  docker exec "$(ids mysql)" bash -c 'MYSQL_PWD=$(cat /run/secrets/root-password) exec mysqldump --user=root --single-transaction --quick --routines --triggers \
    --no-tablespaces --set-gtid-purged=OFF --databases commerce' </dev/null | gzip
}

# Restores a backup from standard input. Every later promise is lost.
restore() {
  local file=restore.sql.gz
  [[ -n $(having mysql) ]] || die "MySQL is an external server here: restore its snapshot"
  lock restore
  cat >"$file"
  gunzip --test "$file" && gunzip <"$file" | tail -n 1 | grep -q 'Dump completed' || die "the backup is incomplete"
  say "stopping api and workers"
  compose stop api workers >/dev/null 2>&1
  say "Redis and Kafka start empty: gates are rebuilt from the database, and the outbox has every message before the backup"
  compose rm --force --stop --volumes redis kafka >/dev/null 2>&1
  docker volume rm commerce_redis commerce_kafka >/dev/null 2>&1 || true
  bash bin/secrets.sh secrets
  compose up --detach --wait mysql >/dev/null 2>&1 || die "MySQL does not start"
  compose exec -T mysql bash /docker-entrypoint-initdb.d/users.sh
  say "restoring the database"
  gunzip <"$file" | docker exec --interactive "$(ids mysql)" bash -c \
    'export MYSQL_PWD=$(cat /run/secrets/root-password); mysql --user=root --execute "DROP DATABASE IF EXISTS commerce" && exec mysql --user=root' || die "MySQL rejected the backup"
  rm -f "$file"
  switch || die "the database is restored, but the shop does not run. See: ./commerce deploy status, logs"
  say "restored"
}

command=${1:?}
shift
case $command in
  deploy | rollback | status | backup | restore) "$command" "$@" ;;
  logs) compose logs --tail "${LINES_BACK:-200}" --timestamps "$@" ;;
  secrets) find secrets -type f -printf '%P\n' | sort ;;
  *) die "no such command: $command" ;;
esac
