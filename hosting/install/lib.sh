# The common part of the installers, which source it. An installer is called without arguments, or with --check, which changes
# nothing and prints the state in one line. The exit code is 0 if the program is installed, 1 if it is not installed yet, and 3 if
# an administrator is needed.
set -euo pipefail
umask 022
shopt -s nullglob

HERE=$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")
NAME=$(basename -- "$0" .sh)
CHECK=
[[ ${1:-} != --check ]] || CHECK=1
CACHE=${XDG_CACHE_HOME:-${HOME:?HOME is not set}/.cache}/commerce

note() { [[ -n $CHECK ]] || printf '%s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$NAME" "$*" >&2; exit 1; }

# begin FOLDER RECIPE: takes the lock of CACHE/FOLDER ($DIR). Succeeds if it must be created. Then $STAGE is an empty folder to
# create it in, which is deleted unless `publish` is reached. It must also be created if it was made by another recipe, or if a
# program that it needs is gone.
begin() {
  DIR=$CACHE/$1 RECIPE=$2 STAGE=$CACHE/$1.new
  if [[ -n $CHECK ]]; then complete && return 1 || return 0; fi
  command -v flock >/dev/null || die "'flock' not found: apt-get install util-linux"
  mkdir -p -- "$CACHE"
  exec 9>"$DIR.lock"
  flock 9
  ! complete || return 1
  rm -rf -- "$STAGE"
  trap 'rm -rf -- "$STAGE"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  mkdir -- "$STAGE"
}

complete() {
  local recipe= what= relies_on=
  { read -r recipe && read -r what && read -r relies_on; } 2>/dev/null <"$DIR/.install-complete" || true
  [[ $recipe == "$RECIPE" ]] && { [[ -z $relies_on ]] || [[ -x $relies_on ]]; }
}

# publish WHAT [PROGRAM]: marks the stage as complete and moves it into place. PROGRAM is a program outside of it that it needs.
publish() {
  printf '%s\n' "$RECIPE" "$1" "${2:-}" >"$STAGE/.install-complete"
  rm -rf -- "$DIR"
  mv -- "$STAGE" "$DIR"
  note "$1, $(du -sm "$DIR" | cut -f1) MB"
}

# The end of a --check for an installed program.
installed() { [[ -z $CHECK ]] || printf '%s in %s\n' "$(sed -n 2p "$DIR/.install-complete")" "$DIR"; }

# The end of a --check for a program that can be installed.
installable() {
  [[ -n $CHECK ]] || return 0
  echo "not installed yet"
  exit 1
}

# lacking WHY: something is missing that only an administrator can install.
lacking() {
  [[ -n $CHECK ]] || die "$1"
  echo "$1"
  exit 3
}

# need HOW COMMAND...: checks the commands that only an administrator can install.
need() {
  local how=$1 command
  shift
  for command; do command -v "$command" >/dev/null || lacking "'$command' not found: $how"; done
}

# need_free MEGABYTES: checks that the disk has room for the stage.
need_free() {
  local free
  free=$(df -Pm -- "$CACHE" | awk 'NR == 2 { print $4 }')
  ((free >= $1)) || die "only $free MB free for $CACHE, $1 MB are needed"
}
