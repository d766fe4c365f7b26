#!/usr/bin/env bash
# ./commerce deploy HOST [--rollback]     puts this commit on a machine that runs Docker, without a failed request
# ./commerce deploy status|logs|backup|restore|secrets HOST [ARG...]
#
# HOST is a destination of ssh: user@address, or a name in ~/.ssh/config. Its settings are in infra/ec2-compose/hosts/HOST.env (see
# generated/.env.example). Your own secrets are files in hosts/HOST.secrets, or the program hosts/HOST.secrets.sh writes them into the
# folder in its argument. None of these files is in git. If IMAGE_REGISTRY is set, images are pushed to that registry and the machine
# pulls them. Otherwise they are sent over ssh. RUNTIME=linux-arm64 is for machines with Graviton.
set -euo pipefail
HERE=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
ROOT=$(dirname -- "$(dirname -- "$HERE")")
FOLDER=${COMMERCE_FOLDER:-/opt/commerce}
SSH=(ssh -o BatchMode=yes -o ConnectTimeout=10 -o ServerAliveInterval=15 ${SSH_OPTIONS:-})
IMAGES=(Api:api Workers:workers PaymentSandbox:payment-sandbox)

die() { printf 'deploy: %s\n' "$*" >&2; exit 1; }
say() { printf '%s  %s\n' "$(date +%T)" "$*"; }
usage() { sed -n '2,9s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"; }

# on HOST COMMAND...: runs the machine's part of this script.
on() {
  local host=$1 arguments
  shift
  printf -v arguments ' %q' "$@"
  "${SSH[@]}" "$host" "FOLDER=$FOLDER bash $FOLDER/bin/machine.sh$arguments"
}

upload() {
  local host=$1 own=$HERE/hosts/$1 secrets
  "${SSH[@]}" "$host" "mkdir -p $FOLDER/next && chmod 700 $FOLDER"
  tar -C "$HERE" -c machine.sh secrets.sh mysql-users.sh proxy observability -C generated docker-compose.yaml |
    "${SSH[@]}" "$host" "rm -rf $FOLDER/next && mkdir -p $FOLDER/next $FOLDER/bin && tar -C $FOLDER/next -x && cp $FOLDER/next/*.sh $FOLDER/bin/"
  { cat "$own.env"; printf 'API_IMAGE=%s\nWORKERS_IMAGE=%s\nPAYMENT_SANDBOX_IMAGE=%s\n' "$(name api)" "$(name workers)" "$(name payment-sandbox)"; } |
    "${SSH[@]}" "$host" "umask 077; cat >$FOLDER/next/.env"
  secrets=$(mktemp -d)
  [[ ! -d $own.secrets ]] || cp -r "$own.secrets/." "$secrets"
  [[ ! -x $own.secrets.sh ]] || "$own.secrets.sh" "$secrets"
  tar -C "$secrets" -c . | "${SSH[@]}" "$host" "mkdir -p $FOLDER/secrets && chmod 700 $FOLDER/secrets && tar -C $FOLDER/secrets -x --no-same-owner --no-overwrite-dir -m"
  rm -rf "$secrets"
}

name() { printf '%scommerce/%s:%s' "${IMAGE_REGISTRY:+$IMAGE_REGISTRY/}" "$1" "$TAG"; }

# Sends the images that the machine does not have. The SDK builds them, so no engine is needed here.
ship() {
  local host=$1 pair project image work
  work=$(mktemp -d)
  for pair in "${IMAGES[@]}"; do
    project=Commerce.${pair%%:*} image=${pair##*:}
    if "${SSH[@]}" "$host" "docker image inspect $(name "$image")" &>/dev/null; then
      say "$image: already on the machine"
      continue
    fi
    local options=(-p:ContainerRepository="commerce/$image" -p:ContainerImageTag="$TAG")
    if [[ -n ${IMAGE_REGISTRY:-} ]]; then options+=(-p:ContainerRegistry="$IMAGE_REGISTRY"); else options+=(-p:ContainerArchiveOutputPath="$work/$image.tar"); fi
    say "$image: building"
    dotnet publish "$ROOT/$project" -c Release -r "${RUNTIME:-linux-x64}" --no-self-contained -p:PublishReadyToRun=true -t:PublishContainer -v quiet -nologo "${options[@]}" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; die "$project does not build"; }
    if [[ -n ${IMAGE_REGISTRY:-} ]]; then "${SSH[@]}" "$host" "docker pull --quiet $(name "$image")" >/dev/null; else
      say "$image: sending $(du -h "$work/$image.tar" | cut -f1)"
      # The layers are compressed already.
      "${SSH[@]}" "$host" "docker load --quiet" <"$work/$image.tar" >/dev/null
    fi
  done
  rm -rf "$work"
}

deploy() {
  local host=$1
  shift
  if [[ ${1:-} == --rollback ]]; then
    on "$host" rollback
    return
  fi
  [[ -f $HERE/hosts/$host.env ]] || die "there is no infra/ec2-compose/hosts/$host.env; copy generated/.env.example and fill it in"
  TAG=${COMMERCE_TAG:-$(git -C "$ROOT" rev-parse --short=12 HEAD)}
  [[ -n ${COMMERCE_TAG:-} || -z $(git -C "$ROOT" status --porcelain) ]] || die "there are uncommitted changes, and the images are named by the commit"
  if [[ -z ${SKIP_CHECKS:-} ]]; then
    say "checks: the unit tests and the published files (SKIP_CHECKS=1 skips them)"
    "$ROOT/commerce" test --filter-namespace 'Commerce.Tests.Unit*' --filter-class '*PublishTests' >/dev/null || die "the tests fail: ./commerce test"
  fi
  say "deploying $TAG to $host"
  "${SSH[@]}" "$host" "docker compose version" >/dev/null || die "$host has no Docker with the compose plugin, or ssh failed (cloud-init.yaml, provision.md)"
  ship "$host"
  upload "$host"
  on "$host" deploy "$TAG"
}

command=${1:-}
case $command in
  status | logs | backup | restore | secrets)
    [[ $# -ge 2 ]] || { usage >&2; exit 2; }
    host=$2
    shift 2
    case $command in
      # A backup is written here and a restore is sent from here, because the machine may be lost.
      backup)
        file=${1:-commerce-$(date -u +%Y%m%dT%H%M%SZ).sql.gz}
        if [[ $file == -* ]]; then usage >&2; exit 2; fi
        on "$host" backup >"$file.part" && mv "$file.part" "$file" && say "$file ($(du -h "$file" | cut -f1))"
        if [[ -n ${BACKUP_COMMAND:-} ]]; then say "$BACKUP_COMMAND" && bash -c "$BACKUP_COMMAND" backup "$file"; fi
        ;;
      restore) [[ -f ${1:-} ]] || die "restore HOST FILE"; on "$host" restore <"$1" ;;
      *) on "$host" "$command" "$@" ;;
    esac
    ;;
  '' | -h | --help) usage ;;
  *) deploy "$@" ;;
esac
