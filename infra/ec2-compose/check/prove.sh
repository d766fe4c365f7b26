#!/usr/bin/env bash
# Proves a deployment on this machine, step by step: ./prove.sh [STEP...]. Without arguments it runs all steps in this order. It needs
# the engine, the images and the sshd of this folder (engine.sh, images.sh, sshd.sh), and uses only loopback. It prints what it measures.
#
#   first     ./commerce deploy to an empty machine, over ssh; docker compose config is clean
#   sale      2,000 shoppers over HTTPS through the proxy, then the audit
#   second    another release under load: 0 failed requests
#   rollback  ./commerce deploy HOST --rollback under load, by hand: 0 failed requests
#   again     the same release once more: nothing is replaced, 0 failed requests
#   broken    an image that does not start: the deploy fails, the previous release keeps running, 0 failed requests
#   kill      kill -9 of each container in turn, and docker compose restart, under load: every promise is kept
#   power     SIGKILL of everything, then up again, under load: every promise is kept
#   restore   backup, loss of all volumes, restore: every promise before the backup is kept
#   jmeter    the four plans of jmeter/ over HTTPS: 0 failed assertions, then the audit
#   up        docker compose up --wait of the manifest, unchanged, from empty volumes
#   secrets   no secret is in an image, the manifest or a log
set -euo pipefail
HERE=$(dirname -- "$(readlink -f -- "$0")")
ROOT=$(readlink -f -- "$HERE/../../..")
ENGINE=${COMMERCE_ENGINE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce/engine}
HOST=root@127.0.0.1
export COMMERCE_FOLDER=${COMMERCE_FOLDER:-$ENGINE/machine} ContainerBaseImage=localhost:5050/dotnet/aspnet:10.0 SKIP_CHECKS=1
export SSH_OPTIONS="-p ${SSHD_PORT:-2222} -i $ENGINE/sshd/key -o UserKnownHostsFile=$ENGINE/sshd/known -o StrictHostKeyChecking=accept-new"
eval "$("$HERE/engine.sh" env)"
TAG=${COMMERCE_TAG:-$(git -C "$ROOT" rev-parse --short=12 HEAD)}
RATE=${RATE:-20}
LEDGER=$ENGINE/promises

step() { printf '\n== %s\n' "$*"; }
shoppers() { "$ROOT/artifacts/bin/Shoppers/debug/Shoppers" "$@"; }
deploy() { COMMERCE_TAG=$1 "$ROOT/infra/ec2-compose/deploy.sh" $HOST; }
compose() { docker compose --project-directory "$COMMERCE_FOLDER" -f "$COMMERCE_FOLDER/docker-compose.yaml" "$@"; }
certificate() { cp "$(docker volume inspect commerce_proxy -f '{{.Mountpoint}}')/caddy/pki/authorities/local/root.crt" "$COMMERCE_FOLDER/root.crt"; }

# under_load SECONDS OPTION COMMAND...: runs COMMAND while shoppers use the shop. Then it checks every promise and runs the audit.
under_load() {
  local seconds=$1 option=$2 code=0 load
  shift 2
  shoppers load "$COMMERCE_FOLDER" "$seconds" "$RATE" "$LEDGER" $option & load=$!
  sleep 5
  "$@" || code=$?
  wait $load || { echo "BROKEN: requests failed"; code=1; }
  shoppers verify "$COMMERCE_FOLDER" "$LEDGER" && shoppers audit "$COMMERCE_FOLDER" && return $code
}

# Writes the settings of a machine for the check: the sandbox, and tokens that the check signs itself.
told() {
  local hosts=$ROOT/infra/ec2-compose/hosts secret=Authentication__Schemes__Bearer__SigningKeys__0__
  mkdir -p "$hosts/$HOST.secrets/api"
  printf '%s\n' DOMAIN=localhost ADMIN_RANGES=10.213.0.1/32 PAYMENTS_SANDBOX=true COMPOSE_PROFILES=sandbox PAYMENT_GATEWAY=http://payment-sandbox:8080 PAY_WINDOW=/pay >"$hosts/$HOST.env"
  [[ -s $hosts/$HOST.secrets/api/${secret}Value ]] || head -c 48 /dev/urandom | base64 -w0 >"$hosts/$HOST.secrets/api/${secret}Value"
  printf check >"$hosts/$HOST.secrets/api/${secret}Issuer"
  printf check >"$hosts/$HOST.secrets/api/Authentication__Schemes__Bearer__ValidIssuer"
}

first() {
  told
  [[ ! -d $COMMERCE_FOLDER ]] || compose down --volumes --timeout 5 >/dev/null 2>&1
  rm -rf "$COMMERCE_FOLDER"
  deploy "$TAG"
  compose config --quiet && echo "docker compose config is clean"
  certificate
}

sale() { shoppers sale "$COMMERCE_FOLDER"; }

second() {
  for image in api workers payment-sandbox; do docker tag "commerce/$image:$TAG" "commerce/$image:$TAG-again"; done
  under_load "${SECONDS_UNDER_LOAD:-120}" "" deploy "$TAG-again"
}

again() {
  local before
  before=$(compose ps --quiet | sort)
  under_load 30 "" deploy "$(release)"
  if [[ $(compose ps --quiet | sort) == "$before" ]]; then echo "None of the containers was replaced."; else echo "BROKEN: containers were replaced" && return 1; fi
}
release() { sed 's/^[0-9]*-//' "$COMMERCE_FOLDER/releases/current"; }

rollback() {
  local before
  before=$(release)
  under_load "${SECONDS_UNDER_LOAD:-120}" "" "$ROOT/infra/ec2-compose/deploy.sh" $HOST --rollback
  if [[ $(release) == "$before" ]]; then echo "BROKEN: $before still runs" && return 1; fi
  echo "Back from $before to $(release)."
}

broken() {
  for image in api workers payment-sandbox; do docker tag "commerce/$image:$TAG" "commerce/$image:broken"; done
  printf 'FROM commerce/api:%s\nENTRYPOINT ["false"]\n' "$TAG" | docker buildx build --quiet --load --provenance=false -t commerce/api:broken - >/dev/null
  under_load "${SECONDS_UNDER_LOAD:-120}" "" refused
}
refused() {
  if deploy broken; then echo "BROKEN: it was deployed"; return 1; fi
  docker ps --format '{{.Image}}' | grep -q broken && { echo "BROKEN: it runs"; return 1; }
  echo "The broken image was refused; $(cat "$COMMERCE_FOLDER/releases/current") runs"
}

kill_each() {
  local service
  for service in api workers redis kafka mysql proxy; do
    echo "kill -9 $service"
    # The process is killed from outside, as the kernel would do it. `docker kill` would count as a requested stop.
    kill -9 "$(docker inspect --format '{{.State.Pid}}' "$(compose ps --quiet $service | head -n 1)")"
    sleep 8
  done
  echo "docker compose restart"
  compose restart --timeout 45 >/dev/null 2>&1
}
kill_() { under_load "${SECONDS_UNDER_LOAD:-150}" --tolerate kill_each; }

cut() {
  echo "SIGKILL of everything"
  docker inspect --format '{{.State.Pid}}' $(compose ps --quiet) | xargs kill -9
  # The engine starts all containers again at once, as after a boot. A machine that comes back starts from the same state.
  sleep 3
  compose up --detach --wait >/dev/null 2>&1 || compose up --detach --wait >/dev/null 2>&1
}
power() { under_load "${SECONDS_UNDER_LOAD:-120}" --tolerate cut; }

restore() {
  local file=$ENGINE/backup.sql.gz
  shoppers load "$COMMERCE_FOLDER" 30 "$RATE" "$LEDGER"
  shoppers verify "$COMMERCE_FOLDER" "$LEDGER"
  "$ROOT/infra/ec2-compose/deploy.sh" backup $HOST "$file"
  compose down --volumes --timeout 5 >/dev/null 2>&1
  echo "all volumes are gone: $(docker volume ls --quiet --filter name=commerce_ | wc -l) left"
  "$ROOT/infra/ec2-compose/deploy.sh" restore $HOST "$file"
  certificate
  shoppers verify "$COMMERCE_FOLDER" "$LEDGER" && shoppers audit "$COMMERCE_FOLDER" && shoppers sale "$COMMERCE_FOLDER"
}

# Only errors count. The rates mean little on a machine that runs everything else, too.
jmeter() {
  local plan users=$ENGINE/users.csv limits=$ENGINE/thresholds
  COMMERCE_TOKEN=$(shoppers tokens "$COMMERCE_FOLDER" 2000 "$users")
  export COMMERCE_TOKEN SSL_CERT_FILE=$COMMERCE_FOLDER/root.crt
  echo "errors <= 0 *" >"$limits"
  for plan in "coupon-rush --users 500" "checkout --seconds 30" "event-opening --users 200" "mixed-day --seconds 60"; do
    echo "./commerce load $plan --host https://localhost -Jusers.file=users.csv"
    # shellcheck disable=SC2086 # a plan and its options
    "$ROOT/commerce" load $plan --host https://localhost "-Jusers.file=$users" --thresholds "$limits" | tr '\r' '\n' | sed -n '/^step /,$p'
  done
}

up() {
  compose down --volumes --timeout 5 >/dev/null 2>&1
  SECONDS=0
  compose up --detach --wait >/dev/null 2>&1
  echo "healthy after $SECONDS s: $(compose ps --format '{{.Service}}' | sort | uniq -c | xargs)"
  certificate
  shoppers audit "$COMMERCE_FOLDER"
}

secrets() {
  local found=0 file text image
  for file in $(find "$COMMERCE_FOLDER/secrets" -type f ! -name users.acl ! -name '*Issuer*' ! -name '*kafka'); do
    text=$(sed 's/.*[Pp]assword=\([^;]*\).*/\1/' "$file")
    [[ ${#text} -ge 16 ]] || continue
    grep -qF -- "$text" "$COMMERCE_FOLDER/docker-compose.yaml" && echo "BROKEN: $file is in the manifest" && found=1
    compose logs --no-color 2>/dev/null | grep -qF -- "$text" && echo "BROKEN: $file is in a log" && found=1
    docker inspect $(compose ps --quiet) | grep -qF -- "$text" && echo "BROKEN: $file is in the environment" && found=1
    for image in api workers payment-sandbox; do
      docker image inspect "commerce/$image:$TAG" | grep -qF -- "$text" && echo "BROKEN: $file is in an image" && found=1
      docker run --rm --entrypoint grep "commerce/$image:$TAG" -rqF -- "$text" /app && echo "BROKEN: $file is in an image" && found=1
    done
  done
  ((found == 0)) && echo "No secret is in an image, the manifest, the environment or a log."
}

dotnet build "$HERE/Shoppers.cs" -v quiet -nologo -o "$ROOT/artifacts/bin/Shoppers/debug" >/dev/null
steps=("$@")
((${#steps[@]})) || steps=(first sale second rollback again broken kill power restore jmeter up secrets)
for name in "${steps[@]}"; do
  step "$name"
  case $name in
    kill) kill_ ;;
    first | sale | second | again | rollback | broken | power | restore | jmeter | up | secrets) "$name" ;;
    *) echo "no such step: $name" >&2; exit 2 ;;
  esac
done
