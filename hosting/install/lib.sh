# What the installers share: sourced by each, never run. An installer is called without arguments, or with --check, which changes nothing and
# says in one line how things stand: exit code 0 installed (what, where), 1 not installed yet, 3 something is needed from an administrator.
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

# begin FOLDER RECIPE: takes the lock of CACHE/FOLDER ($DIR). True where it has to be made: then $STAGE is an empty folder to make it in, which
# disappears again unless `publish` is reached. Another recipe than the one it was made by, or a program it relies on that is gone, counts as
# not made.
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

# publish WHAT [PROGRAM]: stamps the stage and moves it into place. PROGRAM is one outside it that it cannot do without.
publish() {
  printf '%s\n' "$RECIPE" "$1" "${2:-}" >"$STAGE/.install-complete"
  rm -rf -- "$DIR"
  mv -- "$STAGE" "$DIR"
  note "$1, $(du -sm "$DIR" | cut -f1) MB"
}

# The end of a --check: what is installed.
installed() { [[ -z $CHECK ]] || printf '%s in %s\n' "$(sed -n 2p "$DIR/.install-complete")" "$DIR"; }

# The middle of a --check: nothing is there yet, but nothing stands in the way.
installable() {
  [[ -n $CHECK ]] || return 0
  echo "not installed yet"
  exit 1
}

# lacking WHY: what only an administrator can bring is not there.
lacking() {
  [[ -n $CHECK ]] || die "$1"
  echo "$1"
  exit 3
}

# need HOW COMMAND...: the commands that only an administrator can bring.
need() {
  local how=$1 command
  shift
  for command; do command -v "$command" >/dev/null || lacking "'$command' not found: $how"; done
}

# need_free MEGABYTES: the disk has room for the stage.
need_free() {
  local free
  free=$(df -Pm -- "$CACHE" | awk 'NR == 2 { print $4 }')
  ((free >= $1)) || die "only $free MB free for $CACHE, $1 MB are needed"
}
