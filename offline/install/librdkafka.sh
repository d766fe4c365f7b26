#!/usr/bin/env bash
# librdkafka.sh [--check]: librdkafka.so.1 from the sources inside an npm package, for Confluent.Kafka and KafkaBroker, and fixedport.so for the
# latter. Takes about 45 s on two cores.
source "$(dirname -- "$(readlink -f -- "$0")")/lib.sh"

VERSION=2.15.1
PACKAGE=@confluentinc/kafka-javascript@1.10.1
INTEGRITY=sha512-KVePUBn21EqCVP9mfxzEuM3SYJHHEF7X+iiC2e43QQgDSyEaksInmCGooT3w5q+cNAdkSCrK71j0ICfqoSqZLw==
SHIM=$HERE/../KafkaBroker/fixedport.c
MOCK=$HERE/../KafkaBroker/mock.sed

has_header() { gcc -E -include "$1" -xc /dev/null >/dev/null 2>&1; }

lacks_build_tools() {
  local tool
  for tool in gcc g++ make python3; do command -v "$tool" >/dev/null || return 0; done
  ! has_header zlib.h
}

# need_build_tools: the compiler and the headers; root gets them installed.
need_build_tools() {
  local packages=(build-essential python3 zlib1g-dev libssl-dev) how
  lacks_build_tools || return 0
  how="no C/C++ compiler with make, python3 and zlib: sudo apt-get install ${packages[*]}"
  ((EUID == 0)) && command -v apt-get >/dev/null || lacking "$how"
  [[ -z $CHECK ]] || return 0
  note "installing ${packages[*]}"
  {
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o DPkg::Lock::Timeout=120 "${packages[@]}"
  } >"$STAGE/apt.log" 2>&1 \
    || { tail -5 "$STAGE/apt.log" >&2; die "apt-get cannot install ${packages[*]}"; }
  ! lacks_build_tools || die "$how"
}

# compile_shim FOLDER
compile_shim() {
  gcc -shared -fPIC -O2 -o "$1/fixedport.so.new" "$SHIM" -ldl || die "cannot compile $(basename "$SHIM")"
  mv -- "$1/fixedport.so.new" "$1/fixedport.so"
}

if begin "librdkafka-$VERSION" "$(cksum <"$MOCK")"; then
  need "install Node.js with npm" npm node
  need "apt-get install tar" tar
  need_build_tools
  installable
  need_free 500
  fetch_npm "$PACKAGE" "$INTEGRITY"
  mkdir -- "$STAGE/build"
  tar -xzf "$STAGE/package.tgz" -C "$STAGE/build" --strip-components=3 package/deps/librdkafka || die "no sources of librdkafka in $PACKAGE"

  note "compiling"
  tls=--enable-ssl
  has_header openssl/ssl.h || tls=--disable-ssl
  (cd "$STAGE/build" && ./configure --disable-gssapi --disable-curl --disable-zstd --disable-lz4-ext "$tls") >"$STAGE/log" 2>&1 \
    || { tail -15 "$STAGE/log" >&2; die "librdkafka cannot be configured"; }
  sed -i -s -f "$MOCK" "$STAGE/build/src/rdkafka_mock.c" "$STAGE/build/src/rdkafka_mock_int.h"
  grep -q -- '->found = (rd' "$STAGE/build/src/rdkafka_mock.c" && grep -q 'max_size = 64 \*' "$STAGE/build/src/rdkafka_mock.c" \
    || die "the mock cluster's sources are not the expected ones"
  make -C "$STAGE/build/src" -j "$(nproc)" librdkafka.so.1 >"$STAGE/log" 2>&1 || { tail -15 "$STAGE/log" >&2; die "librdkafka cannot be compiled"; }
  strip --strip-unneeded -o "$STAGE/librdkafka.so.1" "$STAGE/build/src/librdkafka.so.1"

  got=$(gcc -xc - -xnone -o "$STAGE/version" "$STAGE/librdkafka.so.1" "-Wl,-rpath,$STAGE" <<<'
    int puts(const char *); const char *rd_kafka_version_str(void); int main(void) { return puts(rd_kafka_version_str()) < 0; }' && "$STAGE/version") \
    || die "the library does not load"
  [[ $got == "$VERSION" ]] || die "the library says that it is $got, not $VERSION"
  compile_shim "$STAGE"
  rm -rf -- "$STAGE"/{build,package.tgz,log,apt.log,version}
  publish "librdkafka $VERSION"
elif [[ $SHIM -nt $DIR/fixedport.so ]]; then
  installable
  need_build_tools
  compile_shim "$DIR"
fi
installed
