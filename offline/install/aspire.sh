#!/usr/bin/env bash
# aspire.sh [--check]: Aspire's process engine (bundle/dcp/dcp) and dashboard (bundle/managed/aspire-managed) from the npm package of its CLI.
source "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

VERSION=13.5.4
INTEGRITY=sha512-8PWeRHM1+QwQB2wxDnfPsimi3EW01r04b4DjX0jIDE78SlfJabwVfYArW/48vDzYvPzKSRye6DIPVAsCFoXjBA==

if begin "aspire-$VERSION" 1; then
  [[ $(uname -sm) == 'Linux x86_64' ]] || die "Aspire's engine comes for Linux on x86_64, this is $(uname -sm)"
  need "install Node.js with npm" npm node
  need "apt-get install tar" tar
  installable
  need_free 900
  fetch_npm "@microsoft/aspire-cli-linux-x64@$VERSION" "$INTEGRITY"

  note "unpacking the bundle"
  cli=$STAGE/cli
  mkdir -- "$cli"
  tar -xzf "$STAGE/package.tgz" -C "$cli" --strip-components=1 --no-same-owner
  # HOME and ASPIRE_HOME because setup would otherwise leave a second copy in the user's home folder.
  HOME=$cli XDG_CACHE_HOME=$cli ASPIRE_HOME=$cli ASPIRE_CLI_TELEMETRY_OPTOUT=true \
    "$cli/bin/aspire" setup --nologo --non-interactive </dev/null 2>&1 | cat >"$cli/log" || { tail -5 "$cli/log" >&2; die "'aspire setup' failed"; }
  for program in dcp/dcp managed/aspire-managed; do
    [[ -x $cli/bundle/$program ]] || { tail -5 "$cli/log" >&2; die "'aspire setup' left no bundle/$program"; }
  done
  mv -- "$(readlink -f -- "$cli/bundle")" "$STAGE/bundle"
  rm -rf -- "$cli" "$STAGE/package.tgz"
  publish "Aspire engine and dashboard $VERSION"
fi
installed
