#!/usr/bin/env bash
# ./commerce publish [FOLDER] [ARG...]: lets the AppHost write the compose file and .env.example. The default folder is
# infra/ec2-compose/generated. Arguments go to the AppHost: --ConnectionStrings:commerce=external publishes for an external MySQL
# (the same works for redis and kafka).
set -euo pipefail
HERE=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
ROOT=$(dirname -- "$(dirname -- "$HERE")")
folder=$HERE/generated
if [[ ${1:-} == [^-]* ]]; then
  folder=$1
  shift
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DOTNET_NOLOGO=1 UseSharedCompilation=true MSBUILDDISABLENODEREUSE=1
dotnet build "$ROOT/Commerce.AppHost" -v quiet -nologo --tl:off >"$work/log" 2>&1 || { grep -E '(: |^)error ' "$work/log" | sort -u >&2; exit 1; }
# The exit code is 0 even if a step has failed.
dotnet run --project "$ROOT/Commerce.AppHost" --no-build --no-launch-profile -- --operation publish --step publish --output-path "$work/out" "$@" >"$work/log" 2>&1 || true
[[ -s $work/out/docker-compose.yaml ]] && ! grep -q '^fail:' "$work/log" || { cat "$work/log" >&2; exit 1; }
mkdir -p "$folder"
mv "$work/out/docker-compose.yaml" "$folder/docker-compose.yaml"
mv "$work/out/.env" "$folder/.env.example"
echo "Written to $folder: docker-compose.yaml, .env.example"
