#!/usr/bin/env bash
# A private Docker engine for the checks, on a machine without one. Debian's packages are unpacked into a folder and not installed.
# The engine listens only on a socket in that folder, so that no other program of this machine uses it by mistake.
#
#   sudo ./engine.sh start     unpacks what is missing and starts the engine
#   sudo ./engine.sh stop      stops it; images and volumes stay
#   sudo ./engine.sh clean     stops it and deletes the folder
#   eval "$(./engine.sh env)"  DOCKER_HOST, DOCKER_CONFIG and PATH for this shell
set -euo pipefail
ENGINE=${COMMERCE_ENGINE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce/engine}
TOOLS=$ENGINE/root/usr
DEBIAN=(docker.io containerd runc tini docker-registry openssh-server openssh-sftp-server libwrap0 prometheus)
# Bookworm has no plugins, and its Caddy cannot repeat a request with a body.
declare -A NEWER=([trixie]="docker-compose docker-buildx" [sid]=caddy)

debian_mirror() { cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | sed -n 's/^URIs: *//p;s/^deb \(http[^ ]*\).*/\1/p' | sed -n 1p || true; }

unpack() {
  [[ ! -e $ENGINE/unpacked ]] || return 0
  local apt release mirror
  mkdir -p "$ENGINE"/{debs,root,config/cli-plugins,run}
  apt-get install -y --no-install-recommends iptables debootstrap >"$ENGINE/apt.log" 2>&1
  (cd "$ENGINE/debs" && apt-get download "${DEBIAN[@]}" >>"$ENGINE/apt.log" 2>&1)
  mirror=$(debian_mirror | sed 's#archive/debian/[0-9TZ]*#debian#')
  for release in "${!NEWER[@]}"; do
    mkdir -p "$ENGINE/$release"/{lists/partial,cache/archives/partial}
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror $release main" >"$ENGINE/$release.list"
    apt=(apt-get -o "Dir::Etc::sourcelist=$ENGINE/$release.list" -o Dir::Etc::sourceparts=/dev/null
      -o "Dir::State::lists=$ENGINE/$release/lists" -o "Dir::Cache=$ENGINE/$release/cache")
    "${apt[@]}" update >>"$ENGINE/apt.log" 2>&1
    # shellcheck disable=SC2086 # several packages
    (cd "$ENGINE/debs" && "${apt[@]}" download ${NEWER[$release]} >>"$ENGINE/apt.log" 2>&1)
  done
  for deb in "$ENGINE"/debs/*.deb; do dpkg-deb -x "$deb" "$ENGINE/root"; done
  cp "$TOOLS"/libexec/docker/cli-plugins/* "$ENGINE/config/cli-plugins/"
  : >"$ENGINE/unpacked"
}

# By default all containers together get as much of a busy CPU as one other process (cgroup v1), and time out. About ten containers
# run, so they get the share of ten processes.
weigh() {
  [[ -d /sys/fs/cgroup/cpu ]] || return 0
  mkdir -p /sys/fs/cgroup/cpu/docker
  echo 10240 >/sys/fs/cgroup/cpu/docker/cpu.shares
}

start() {
  unpack
  weigh
  ! DOCKER_HOST=unix://$ENGINE/run/docker.sock "$TOOLS/bin/docker" info >/dev/null 2>&1 || { echo "The engine is already running."; return; }
  export PATH=$TOOLS/bin:$TOOLS/sbin:$PATH
  mkdir -p "$ENGINE/run" "$ENGINE/data"
  setsid dockerd --data-root "$ENGINE/data" --exec-root "$ENGINE/run/exec" --pidfile "$ENGINE/run/docker.pid" -H "unix://$ENGINE/run/docker.sock" \
    --bip 172.29.0.1/24 --default-address-pool base=172.30.0.0/16,size=24 \
    --userland-proxy-path "$TOOLS/sbin/docker-proxy" --init-path "$TOOLS/bin/tini-static" </dev/null >"$ENGINE/dockerd.log" 2>&1 &
  for _ in $(seq 100); do
    ! DOCKER_HOST=unix://$ENGINE/run/docker.sock docker info >/dev/null 2>&1 || { echo "The engine is running: $ENGINE/run/docker.sock"; return; }
    sleep 0.2
  done
  tail -n 5 "$ENGINE/dockerd.log" >&2
  exit 1
}

stop() {
  local pid
  # images.sh has started the registry.
  pid=$(cat "$ENGINE/run/registry.pid" 2>/dev/null) && kill "$pid" 2>/dev/null && rm "$ENGINE/run/registry.pid" || true
  pid=$(cat "$ENGINE/run/docker.pid" 2>/dev/null) && kill "$pid" 2>/dev/null || { echo "The engine is not running."; return 0; }
  while kill -0 "$pid" 2>/dev/null; do sleep 0.2; done
  # Deletes what an engine leaves behind in the kernel.
  iptables-save | grep -viE 'docker|-[io] br-|-s 172\.(29|30)\.|-s 10\.213\.' | iptables-restore && iptables -P FORWARD ACCEPT
  for link in $(ip -o link show type bridge | sed -n 's/^[0-9]*: \(docker0\|br-[0-9a-f]*\):.*/\1/p'); do ip link delete "$link"; done
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  clean) stop && rm -rf "$ENGINE" ;;
  env) printf 'export DOCKER_HOST=unix://%s DOCKER_CONFIG=%s PATH=%s:%s:"$PATH"\n' "$ENGINE/run/docker.sock" "$ENGINE/config" "$TOOLS/bin" "$TOOLS/sbin" ;;
  *) sed -n '2,9s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
