# Installs servers from Debian packages, without root and without changing the host. mysql.sh and redis.sh source it after lib.sh.

# The signed index of a suite is usually valid for a week. A mirror that is rarely synchronised exceeds that. Signatures are checked
# in any case.
INDEX_MAX_DAYS=400
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# host_program PROGRAM MINIMUM: prints the path of the host's own program if it has at least that version.
host_program() {
  local program version
  program=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v "$1") || return 0
  version=$("$program" --version 2>/dev/null) || return 0
  [[ $version != *MariaDB* && $version =~ ([0-9]+\.[0-9]+\.[0-9]+) ]] || return 0
  [[ $(printf '%s\n' "$2" "${BASH_REMATCH[1]}" | sort -V | head -1) == "$2" ]] || return 0
  printf '%s' "$program"
}

# wrap_host: creates `my` in the stage, which runs the host's programs.
wrap_host() {
  cat >"$STAGE/my" <<'WRAPPER'
#!/bin/sh
# my PROGRAM [ARG...]: runs a program of this host
PATH=$PATH:/usr/sbin:/usr/local/sbin
[ $# -ge 1 ] || { echo "usage: my PROGRAM [ARG...]" >&2; exit 2; }
command -v "$1" >/dev/null || { echo "my: no program '$1' on PATH" >&2; exit 127; }
exec "$@"
WRAPPER
  chmod 755 "$STAGE/my"
}

# wrap_private TRIPLET: creates `my` in the stage, which runs a program with the folder's loader and libraries, because the host's
# may be older.
wrap_private() {
  local loader
  loader=$(cd "$STAGE" && find usr/lib usr/lib64 -name 'ld-linux-*.so.*' -print -quit)
  [[ -n $loader ]] || die "no dynamic loader among the unpacked packages"
  cat >"$STAGE/my" <<WRAPPER
#!/bin/sh
# my PROGRAM [ARG...]: runs a program of this folder with the folder's own loader and libraries
here=\$(dirname -- "\$(readlink -f -- "\$0")")
[ \$# -ge 1 ] || { echo "usage: my PROGRAM [ARG...]" >&2; exit 2; }
program=\$here/usr/sbin/\$1
[ -x "\$program" ] || program=\$here/usr/bin/\$1
[ -x "\$program" ] || { echo "my: no program '\$1' in \$here" >&2; exit 127; }
shift
exec "\$here/$loader" --inhibit-cache --argv0 "\$program" --library-path "\$here/usr/lib/$1:\$here/usr/lib" "\$program" "\$@"
WRAPPER
  chmod 755 "$STAGE/my"
}

# host_suite: prints the host's release of Debian.
host_suite() { sed -n 's/^VERSION_CODENAME=//p' /etc/os-release; }

# mirror: prints the Debian archive in the host's apt configuration. It is identified by its Release file or, if no index has been
# downloaded yet, by the host's release.
mirror() {
  local uri
  uri=$(apt-get indextargets --format '$(CREATED_BY) $(COMPONENT) $(ORIGIN) $(LABEL) $(REPO_URI)' 2>/dev/null \
    | awk '$1 == "Packages" && $2 == "main" && $3 == "Debian" && $4 == "Debian" { print $5; exit }') || true
  if [[ -z $uri ]] && grep -qx 'ID=debian' /etc/os-release; then
    uri=$(apt-get indextargets --no-release-info --format '$(CREATED_BY) $(COMPONENT) $(RELEASE) $(REPO_URI)' 2>/dev/null \
      | awk -v suite="$(host_suite)" '$1 == "Packages" && $2 == "main" && $3 == suite { print $4; exit }') || true
  fi
  printf '%s' "$uri"
}

# need_debian PROGRAM MINIMUM: checks that a private installation is possible.
need_debian() {
  local how="install $1 $2 or newer with this host's own tools, it is then used from PATH"
  need "$how" apt-get apt-config dpkg dpkg-deb tar
  [[ -n $(mirror) && -r $KEYRING ]] || lacking "no $1 on PATH, and apt is not set up for Debian with $KEYRING: $how"
}

# unpack_debian SUITE "STAND-IN..." PACKAGE...: downloads the packages with all dependencies, including glibc, and unpacks them into
# the stage with a wrapper `my`. It uses a separate apt root, which verifies signatures and checksums as usual. STAND-INs count as
# installed. They are packages that only unused scripts need.
unpack_debian() {
  local suite=$1 stand_ins=$2 apt=$STAGE/apt uri arch triplet name packages size netrc= netrc_d=
  shift 2
  uri=$(mirror)
  arch=$(dpkg --print-architecture)
  case $arch in
    amd64) triplet=x86_64-linux-gnu ;;
    arm64) triplet=aarch64-linux-gnu ;;
    *) die "Debian packages are used on amd64 and arm64, this is $arch" ;;
  esac

  mkdir -p "$apt"/{lists/partial,cache/archives/partial,none.d,log}
  for name in $stand_ins; do
    printf '%s\n' "Package: $name" 'Status: install ok installed' "Architecture: $arch" 'Multi-Arch: allowed' 'Version: 999' \
      'Maintainer: none' 'Description: stand-in' ''
  done >"$apt/status"
  echo "deb [arch=$arch signed-by=$KEYRING] $uri $suite main" >"$apt/sources.list"
  eval "$(apt-config shell netrc Dir::Etc::netrc/f netrc_d Dir::Etc::netrcparts/d)"
  {
    cat <<CONFIGURATION
Dir::Etc "$apt/";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/none.d/";
Dir::Etc::main "$apt/none";
Dir::Etc::parts "$apt/none.d/";
Dir::Etc::preferences "$apt/none";
Dir::Etc::preferencesparts "$apt/none.d/";
Dir::Etc::trusted "$apt/none";
Dir::Etc::trustedparts "$apt/none.d/";
Dir::Etc::netrc "${netrc:-$apt/none}";
Dir::Etc::netrcparts "${netrc_d:-$apt/none.d/}";
Dir::State "$apt/";
Dir::State::lists "$apt/lists/";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache "$apt/cache/";
Dir::Cache::archives "$apt/cache/archives/";
Dir::Log "$apt/log/";
APT::Architecture "$arch";
APT::Architectures { "$arch"; };
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
APT::Sandbox::User "";
APT::Update::Error-Mode "any";
Acquire::Languages "none";
Acquire::Retries "3";
Acquire::Min-ValidTime "$((INDEX_MAX_DAYS * 86400))";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::IndexTargets::deb::Contents-deb::DefaultEnabled "false";
Acquire::IndexTargets::deb::DEP-11::DefaultEnabled "false";
Debug::NoLocking "true";
CONFIGURATION
    # The settings of the host's network access.
    apt-config dump | grep -E '^Acquire::https?::(Proxy|CaInfo|CaPath|Timeout)' || true
  } >"$apt/apt.conf"

  note "reading the signed index of $suite"
  APT_CONFIG=$apt/apt.conf LC_ALL=C apt-get update -q >"$apt/log/update" 2>&1 \
    || { tail -5 "$apt/log/update" >&2; die "cannot read or verify Debian's suite $suite from $uri: is it reachable?"; }
  size=$(APT_CONFIG=$apt/apt.conf LC_ALL=C apt-get install -y --print-uris -- "$@" 2>/dev/null | sed -n 's/^Need to get \([^ ]* [kM]*B\).*/\1/p') || true
  note "downloading $* (${size:-unknown size})"
  APT_CONFIG=$apt/apt.conf LC_ALL=C apt-get install -y -q --download-only -- "$@" >"$apt/log/install" 2>&1 \
    || { tail -5 "$apt/log/install" >&2; die "apt cannot resolve or download $* from Debian's suite $suite"; }
  packages=("$apt"/cache/archives/*.deb)
  ((${#packages[@]})) || die "apt downloaded nothing for $*"

  note "unpacking ${#packages[@]} packages"
  # The packages expect that /bin, /lib and so on are links into /usr.
  mkdir -p "$STAGE"/usr/{bin,sbin,lib,lib64}
  for name in bin sbin lib lib64; do ln -s "usr/$name" "$STAGE/$name"; done
  for name in "${packages[@]}"; do
    dpkg-deb --fsys-tarfile "$name" | tar -x -C "$STAGE" --no-same-owner --keep-directory-symlink \
      --exclude='./usr/share/doc/*' --exclude='./usr/share/man/*' --exclude='./usr/share/locale/*' --exclude='./usr/share/lintian/*' \
      --exclude='./usr/share/info/*' --exclude='./usr/share/i18n/*' --exclude='./usr/lib/*/gconv/*' || die "cannot unpack $(basename "$name")"
  done
  rm -rf -- "$apt"
  wrap_private "$triplet"
}
