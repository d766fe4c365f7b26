#!/usr/bin/env bash
# chromium.sh [--check]: installs Chromium as `my chromium`, for the tests of the page. If the host has a browser, that one is used.
source "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"
source "$HERE/debian.sh"

MINIMUM=120.0.0

# The browser starts itself again for each of its processes, so it cannot run under its own loader. It uses the host's loader and C
# library, and the folder's other libraries. Package and host belong to the same release of Debian. Only the RUNPATH of libpulse
# names the folder with libpulse's own libraries.
wrap_browser() {
  local library
  for library in ld-linux libBrokenLocale libanl libc libc_malloc_debug libdl libm libmvec libnsl libnss_ libpthread libresolv librt libthread_db libutil; do
    find "$STAGE/usr/lib" "$STAGE/usr/lib64" \( -name "$library.so*" -o -name "$library-*.so*" -o -name "${library}*.so.2" \) -path '*linux-gnu*' -delete
  done
  cat >"$STAGE/my" <<'WRAPPER'
#!/bin/sh
# my chromium [ARG...]: runs the browser of this folder with the folder's own libraries and fonts
here=$(dirname -- "$(readlink -f -- "$0")")
[ "${1:-}" = chromium ] || { echo "usage: my chromium [ARG...]" >&2; exit 2; }
shift
set -- "$here/usr/lib/chromium/chromium" "$@"
for folder in "$here"/usr/lib/*-linux-gnu "$here"/usr/lib/*-linux-gnu/pulseaudio "$here"/usr/lib; do libraries=${libraries:+$libraries:}$folder; done
export LD_LIBRARY_PATH=$libraries XDG_DATA_DIRS=$here/usr/share FONTCONFIG_FILE=$here/fonts.conf
exec "$@"
WRAPPER
  chmod 755 "$STAGE/my"
  # The configuration of the packages names folders of the host.
  cat >"$STAGE/fonts.conf" <<FONTS
<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>$DIR/usr/share/fonts</dir><cachedir prefix="xdg">fontconfig</cachedir></fontconfig>
FONTS
}

if begin chromium 3; then
  host=$(host_program chromium "$MINIMUM")
  [[ -n $host ]] || need_debian chromium "$MINIMUM"
  installable
  need_free 1500

  if [[ -n $host ]]; then
    wrap_host
  else
    # a desktop needs these packages, a test does not
    unpack_debian "$(host_suite)" 'adduser init-system-helpers lsb-base xdg-utils adwaita-icon-theme hicolor-icon-theme shared-mime-info dconf-gsettings-backend perl' chromium fonts-dejavu-core
    wrap_browser
  fi
  # Some programs start a browser only by its path.
  printf '%s\n' '#!/bin/sh' 'exec "$(dirname -- "$(readlink -f -- "$0")")/my" chromium "$@"' >"$STAGE/browser"
  chmod 755 "$STAGE/browser"
  version=$("$STAGE/my" chromium --version 2>&1) || die "chromium does not start: $version"
  [[ $version =~ ([0-9]+\.[0-9]+\.[0-9]+) ]] && version=${BASH_REMATCH[1]}
  publish "Chromium $version" "$host"
fi
installed
