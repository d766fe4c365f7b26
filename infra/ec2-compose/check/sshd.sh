#!/usr/bin/env bash
# sshd on loopback, with the engine of the checks behind it, as a machine to deploy to.
#
#   sudo ./sshd.sh start     prints the environment that ./commerce deploy needs
#   sudo ./sshd.sh stop
set -euo pipefail
ENGINE=${COMMERCE_ENGINE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce/engine}
TOOLS=$ENGINE/root/usr SSHD=$ENGINE/sshd PORT=${SSHD_PORT:-2222}

start() {
  mkdir -p "$SSHD" /run/sshd
  chmod 755 "$ENGINE" "$SSHD"
  getent passwd sshd >/dev/null || useradd --system --home-dir /run/sshd --shell /usr/sbin/nologin sshd
  [[ -f $SSHD/host ]] || ssh-keygen -q -t ed25519 -N '' -f "$SSHD/host"
  [[ -f $SSHD/key ]] || ssh-keygen -q -t ed25519 -N '' -f "$SSHD/key"
  install -m 600 "$SSHD/key.pub" "$SSHD/authorized_keys"
  cat >"$SSHD/config" <<CONFIG
ListenAddress 127.0.0.1:$PORT
HostKey $SSHD/host
AuthorizedKeysFile $SSHD/authorized_keys
PidFile $SSHD/pid
StrictModes no
PasswordAuthentication no
PermitRootLogin prohibit-password
UsePAM no
Subsystem sftp $TOOLS/lib/openssh/sftp-server
SetEnv DOCKER_HOST=unix://$ENGINE/run/docker.sock DOCKER_CONFIG=$ENGINE/config PATH=$TOOLS/bin:$TOOLS/sbin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
CONFIG
  LD_LIBRARY_PATH=$TOOLS/lib/x86_64-linux-gnu:$ENGINE/root/lib/x86_64-linux-gnu "$TOOLS/sbin/sshd" -f "$SSHD/config" -E "$SSHD/log"
  printf 'export SSH_OPTIONS="-p %s -i %s -o UserKnownHostsFile=%s/known -o StrictHostKeyChecking=accept-new"\n' "$PORT" "$SSHD/key" "$SSHD"
}

case ${1:-} in
  start) start ;;
  stop) kill "$(cat "$SSHD/pid")" ;;
  *) sed -n '2,5s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
