#!/usr/bin/env bash
# Creates stand-ins for the official images of the manifest, with the same names, tags, users, folders and settings. They are made of
# what this machine has: Debian (debootstrap), the servers that ./commerce installs, Kafka ($KAFKA_HOME), Caddy (Debian's) and ASP.NET.
# Nothing is pulled. The .NET base image also goes into a registry on loopback, because the SDK can only use a base image from a registry.
#
#   eval "$(./engine.sh env)" && sudo -E ./images.sh
set -euo pipefail
HERE=$(dirname -- "$(readlink -f -- "$0")")
ENGINE=${COMMERCE_ENGINE:-${XDG_CACHE_HOME:-$HOME/.cache}/commerce/engine}
SERVERS=${XDG_CACHE_HOME:-$HOME/.cache}/commerce
: "${KAFKA_HOME:?the folder of a Kafka distribution}"
DOTNET=$(dirname -- "$(readlink -f -- "$(command -v dotnet)")")
REGISTRY=localhost:5050
tag() { sed -n "s|^    image: \"\($1:[^\"]*\)\".*|\1|p" "$HERE/../generated/docker-compose.yaml" | head -n 1; }

WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
image() { # image NAME FOLDER < Dockerfile; the folder is `content` in the build, beside the scripts of this folder
  rm -rf "$WORK/build" && mkdir "$WORK/build"
  cat >"$WORK/build/Dockerfile"
  cp "$HERE"/*.sh "$WORK/build/"
  cp -al "$2" "$WORK/build/content" 2>/dev/null || { rm -rf "$WORK/build/content" && cp -a "$2" "$WORK/build/content"; }
  docker buildx build --quiet --load --provenance=false -t "$1" "$WORK/build" >/dev/null
  echo "  $1"
}

if ! docker image inspect check/debian >/dev/null 2>&1; then
  mirror=$(cat /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list 2>/dev/null | sed -n 's/^URIs: *//p;s/^deb \(http[^ ]*\).*/\1/p' | sed -n 1p || true)
  [[ -d $ENGINE/base/bin ]] || debootstrap --variant=minbase \
    --include=ca-certificates,libssl3,zlib1g,libstdc++6,libicu72,curl,procps,openjdk-17-jre-headless "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$ENGINE/base" "$mirror" >"$ENGINE/debootstrap.log"
  rm -rf "$ENGINE"/base/var/cache/apt/archives/*.deb "$ENGINE"/base/var/lib/apt/lists/* "$ENGINE"/base/usr/share/{doc,man,locale}
  tar -C "$ENGINE/base" -c . | docker import - check/debian >/dev/null
fi

image "$(tag mysql)" "$SERVERS/mysql-9.7" <<'DOCKER'
FROM check/debian
COPY content /opt/mysql
RUN useradd --system --uid 999 mysql && mkdir -p /var/lib/mysql /var/run/mysqld /docker-entrypoint-initdb.d && rm -rf /opt/mysql/template \
 && chown mysql:mysql /var/lib/mysql /var/run/mysqld \
 && for p in mysqld mysql mysqladmin mysqldump mysqlbinlog; do printf '#!/bin/sh\nexec /opt/mysql/my %s "$@"\n' $p > /usr/bin/$p; chmod +x /usr/bin/$p; done \
 && printf '[mysqld]\nbasedir=/opt/mysql/usr\ndatadir=/var/lib/mysql\nsocket=/var/run/mysqld/mysqld.sock\nsecure-file-priv=NULL\nbind-address=0.0.0.0\nmysqlx=OFF\n[client]\nsocket=/var/run/mysqld/mysqld.sock\n' > /etc/my.cnf \
 && rm -rf /etc/mysql
COPY mysql-entrypoint.sh /usr/local/bin/docker-entrypoint.sh
RUN chmod +x /usr/local/bin/docker-entrypoint.sh
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["mysqld"]
DOCKER

image "$(tag redis)" "$SERVERS/redis" <<'DOCKER'
FROM check/debian
COPY content /opt/redis
RUN groupadd --system --gid 999 redis && useradd --system --uid 999 --gid redis redis && mkdir -p /data && chown redis:redis /data \
 && for p in redis-server redis-cli; do printf '#!/bin/sh\nexec /opt/redis/my %s "$@"\n' $p > /usr/bin/$p; chmod +x /usr/bin/$p; done
WORKDIR /data
CMD ["redis-server"]
DOCKER

image "$(tag apache/kafka)" "$KAFKA_HOME" <<'DOCKER'
FROM check/debian
RUN useradd --system --uid 1000 --gid root appuser && mkdir -p /var/lib/kafka/data /opt/kafka
COPY content /opt/kafka
COPY kafka-run.sh /etc/kafka/docker/run
RUN chmod +x /etc/kafka/docker/run /opt/kafka/bin/*.sh && chmod -R u+w /opt/kafka && chown -R appuser:root /var/lib/kafka /opt/kafka
USER appuser
CMD ["/etc/kafka/docker/run"]
DOCKER

image "$(tag caddy)" "$ENGINE/root/usr/bin" <<'DOCKER'
FROM check/debian
COPY content/caddy /usr/bin/caddy
RUN mkdir -p /config/caddy /data/caddy /etc/caddy
ENV XDG_CONFIG_HOME=/config XDG_DATA_HOME=/data
CMD ["caddy", "run", "--config", "/etc/caddy/Caddyfile", "--adapter", "caddyfile"]
DOCKER

image "$(tag prom/prometheus)" "$ENGINE/root/usr/bin" <<'DOCKER'
FROM check/debian
COPY content/prometheus /bin/prometheus
RUN mkdir /prometheus && chown nobody:nogroup /prometheus
USER nobody
WORKDIR /prometheus
ENTRYPOINT ["/bin/prometheus"]
DOCKER

image "$REGISTRY/dotnet/aspnet:10.0" "$DOTNET" <<'DOCKER'
FROM check/debian
RUN useradd --uid 1654 --create-home app
COPY content/host /usr/share/dotnet/host
COPY content/shared /usr/share/dotnet/shared
COPY content/dotnet /usr/share/dotnet/dotnet
RUN ln -s /usr/share/dotnet/dotnet /usr/bin/dotnet && rm -rf /usr/lib/jvm
ENV APP_UID=1654 ASPNETCORE_HTTP_PORTS=8080 DOTNET_RUNNING_IN_CONTAINER=true
DOCKER

if ! curl -sf "$REGISTRY/v2/" >/dev/null; then
  printf 'version: 0.1\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: 127.0.0.1:5050}\n' "$ENGINE/registry" >"$ENGINE/registry.yml"
  setsid docker-registry serve "$ENGINE/registry.yml" </dev/null >"$ENGINE/registry.log" 2>&1 &
  echo $! >"$ENGINE/run/registry.pid"
  for _ in $(seq 50); do ! curl -sf "$REGISTRY/v2/" >/dev/null || break; sleep 0.1; done
fi
docker push --quiet "$REGISTRY/dotnet/aspnet:10.0" >/dev/null
echo "Build with: export ContainerBaseImage=$REGISTRY/dotnet/aspnet:10.0"
