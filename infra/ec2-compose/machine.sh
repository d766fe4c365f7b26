#!/usr/bin/env bash
# The part of ./commerce deploy that runs on the machine, in $FOLDER. It uses nothing but bash, Docker and its compose plugin.
#
#   deploy TAG    $FOLDER/next becomes what runs; where that fails, what ran before goes on
#   rollback      the release before this one becomes what runs
#   status | logs [SERVICE...] | backup >FILE | restore <FILE
#
# What runs is in $FOLDER; releases/N-TAG keeps each release's files (its images stay, too), so that the folder of a service, and with it the container
# of a database, is the same from release to release.
set -Eeuo pipefail
trap 'echo "machine: line $LINENO failed: $BASH_COMMAND" >&2' ERR
FOLDER=${FOLDER:-/opt/commerce}
cd "$FOLDER"
FILES=(docker-compose.yaml .env mysql-users.sh proxy observability)
LEDGERS=(mysql redis kafka)
HEALTHY_WITHIN=${HEALTHY_WITHIN:-120} KEEP=5

die() { printf 'machine: %s\n' "$*" >&2; exit 1; }
say() { printf '%s  %s\n' "$(date +%T)" "$*" >&2; }
compose() { docker compose --project-directory "$FOLDER" -f "$FOLDER/docker-compose.yaml" "$@" </dev/null; }
# Those of the services that the manifest has: an external server has no container.
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

# healthy CONTAINER: waits, and tells the end of its log where it does not become well.
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

# Replaces the containers of the Api one by one: a new one beside them, healthy, then an old one drains and goes. The proxy finds both by DNS.
replace_api() {
  local old fresh new
  for old in $(ids api); do
    # Back after a failed deploy: this one never went.
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
  # At first, and after a crash, there may be fewer than wanted.
  compose up --detach --no-deps --no-recreate api >/dev/null 2>&1
  for new in $(ids api); do healthy "$new" || return 1; done
}

configuration_of() { docker inspect --format '{{range .Config.Env}}{{println .}}{{end}}' "$1" | sed -n 's/^CONFIGURATION=//p'; }
variable() { sed -n "s/^$1=//p" .env | tail -n 1; }

# What runs becomes what the files say. Every step leaves the shop working when it fails.
switch() {
  local ledgers id
  mapfile -t ledgers < <(having "${LEDGERS[@]}")
  say "ledgers: ${ledgers[*]:-external}"
  compose up --detach --wait --quiet-pull "${ledgers[@]}" >/dev/null 2>&1 || { compose ps "${ledgers[@]}" >&2; return 1; }
  [[ " ${ledgers[*]} " != *" mysql "* ]] || compose exec -T mysql bash /docker-entrypoint-initdb.d/users.sh || return 1
  say "schema: expanding"
  compose run --rm --no-deps -T schema >schema.log 2>&1 || { tail -n 20 schema.log >&2; return 1; }
  replace_api || return 1
  say "workers"
  compose up --detach --no-deps workers >/dev/null 2>&1 || return 1
  for id in $(ids workers); do healthy "$id" || return 1; done
  say "proxy, and what the profiles add"
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
    # By this machine's own address: the name may point here only later. The certificate is not ours to judge.
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
    # Into the same folders: containers have them mounted.
    if [[ -d $1/$file ]]; then mkdir -p "$file" && cp -r "$1/$file/." "$file/"; else cat "$1/$file" >"$file"; fi
  done
  # The files, and the secrets that no file names: whoever was told something else is replaced.
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
    say "$tag runs. Before it: ${before:-nothing}"
    prune
    return
  fi
  [[ -n $before ]] || die "$tag does not run, and there is nothing to go back to. Look at: ./commerce deploy logs"
  say "$tag does not run; back to $before"
  mv "$release" "releases/failed-$number-$tag"
  install "releases/$before"
  switch || die "and $before does not come back either. Look at: ./commerce deploy status, logs"
  die "$tag did not come up; $before runs as before"
}

rollback() {
  local now target
  lock rollback
  now=$(current)
  target=$(cat "releases/${now:?nothing is deployed}/before" 2>/dev/null || true)
  [[ -n $target && -d releases/$target ]] || die "there is no release before $now"
  say "from $now back to $target"
  install "releases/$target"
  switch || die "$target does not come up. Look at: ./commerce deploy status, logs"
  echo "$target" >releases/current
  say "$target runs"
}

# Old releases and their images, but never those that run or can be gone back to.
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

# A consistent picture of the database, taken while the shop is open. Redis and Kafka are not in it: what they have is made from the database again.
backup() {
  [[ -n $(having mysql) ]] || die "MySQL is an external server here: use its own snapshots"
  docker exec "$(ids mysql)" bash -c 'MYSQL_PWD=$(cat /run/secrets/root-password) exec mysqldump --user=root --single-transaction --quick --routines --triggers \
    --no-tablespaces --set-gtid-purged=OFF --databases commerce' </dev/null | gzip
}

# From a backup on standard input. Everything that was promised after it is lost, so a shop that still has its ledger is asked about it by name.
restore() {
  local file=restore.sql.gz
  [[ -n $(having mysql) ]] || die "MySQL is an external server here: restore its snapshot"
  lock restore
  cat >"$file"
  gunzip --test "$file" && gunzip <"$file" | tail -n 1 | grep -q 'Dump completed' || die "this is not a whole backup"
  say "stopping what writes"
  compose stop api workers >/dev/null 2>&1
  say "Redis and Kafka begin empty: the gates are built from the database, and what Kafka had is in the database's outbox or was promised after the backup"
  compose rm --force --stop --volumes redis kafka >/dev/null 2>&1
  docker volume rm commerce_redis commerce_kafka >/dev/null 2>&1 || true
  bash bin/secrets.sh secrets
  compose up --detach --wait mysql >/dev/null 2>&1 || die "MySQL does not start"
  compose exec -T mysql bash /docker-entrypoint-initdb.d/users.sh
  say "filling in the database"
  gunzip <"$file" | docker exec --interactive "$(ids mysql)" bash -c \
    'export MYSQL_PWD=$(cat /run/secrets/root-password); mysql --user=root --execute "DROP DATABASE IF EXISTS commerce" && exec mysql --user=root' || die "the backup cannot be read in"
  rm -f "$file"
  switch || die "the database is there, but the shop does not run. Look at: ./commerce deploy status, logs"
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
