#!/usr/bin/env bash
# Puts servers of other releases of Debian into a folder, so that they run on this machine as plain processes.
#
#   deploy/engine/servers.sh [FOLDER] [NAME]...   by default .cache/servers, redis-7.0 redis-8.0 valkey-8.1; also redis-6.0
#
# Each becomes FOLDER/NAME/bin/{redis,valkey}-{server,cli}: a line of shell that becomes the program (exec), with the
# libraries and the loader of its own release. Signals and process ids are those of any other program.
# Needs root, debootstrap and a mirror of Debian (SLUICE_DEBIAN_MIRROR). What is there already is kept.
set -euo pipefail

folder=${1:-.cache/servers}
[ $# -eq 0 ] || shift
[ $# -gt 0 ] || set -- redis-7.0 redis-8.0 valkey-8.1
mirror=${SLUICE_DEBIAN_MIRROR:-http://deb.debian.org/debian}
limit_s=${SLUICE_SERVERS_LIMIT:-600}

fail() {
  echo "servers.sh: $1" >&2
  exit "${2:-75}"
}

mkdir -p "$folder" || fail "cannot write $folder" 78
folder=$(cd "$folder" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# suite_of NAME -> the release of Debian that has this server
suite_of() {
  case $1 in
    redis-8.0 | valkey-8.1) echo trixie ;;
    redis-7.0) echo bookworm ;;
    redis-6.0) echo bullseye ;;
    *) fail "there is no server $1: give redis-7.0, redis-8.0, valkey-8.1 or redis-6.0" 78 ;;
  esac
}

# Its first stage is enough: packages and what they depend on are chosen, fetched, checked and unpacked.
make_root() {
  local suite=$1 include=redis-server
  [ "$suite" != trixie ] || include=redis-server,valkey-server
  [ "$(id -u)" = 0 ] || fail "needs root, which debootstrap asks for" 78
  command -v debootstrap >/dev/null || fail "needs debootstrap: apt-get install debootstrap" 78
  timeout "$limit_s" debootstrap --foreign --variant=minbase --include="$include" "$suite" \
    "$work/$suite" "$mirror" >"$work/log" 2>&1 || {
    tail -n 5 "$work/log" >&2
    fail "debootstrap got no $suite from $mirror within $limit_s s: is it reachable? (SLUICE_DEBIAN_MIRROR)"
  }
  local package
  for package in "$work/$suite"/var/cache/apt/archives/{lib,lua,zlib,redis-,valkey-}*.deb; do
    [ -e "$package" ] || continue
    dpkg-deb --fsys-tarfile "$package" | tar -C "$work/$suite" --keep-directory-symlink -x
  done
}

# take NAME: copies the programs, their libraries and their loader
take() {
  local name=$1 kind=${1%-*} root part loader
  root=$work/$(suite_of "$name")
  [ -d "$root" ] || make_root "$(suite_of "$name")"
  part=$work/$name
  mkdir -p "$part/bin" "$part/lib"
  loader=$(readlink -f "$root"/lib/*-linux-*/ld-linux-*)
  cp "$loader" "$part/lib/loader"
  for program in server cli; do
    cp -L "$root/usr/bin/$kind-$program" "$part/lib/"
    "$loader" --library-path "$(dirname "$loader")" --list "$root/usr/bin/$kind-$program" |
      sed -n "s|.* => \($root/[^ ]*\) .*|\1|p" | grep -v '/ld-linux' | xargs -I{} cp -Ln {} "$part/lib/"
    printf '#!/bin/sh\nlib="$(dirname "$(readlink -f "$0")")/../lib"\n%s\n' \
      "exec \"\$lib/loader\" --library-path \"\$lib\" \"\$lib/$kind-$program\" \"\$@\"" >"$part/bin/$kind-$program"
    chmod +x "$part/bin/$kind-$program"
  done
  "$part/bin/$kind-server" --version >/dev/null || fail "$name does not run on this machine"
  mv "$part" "$folder/$name"
}

for name in "$@"; do
  suite_of "$name" >/dev/null || exit 78
  [ -x "$folder/$name/bin/${name%-*}-server" ] || take "$name"
  echo "$folder/$name/bin/${name%-*}-server  $("$folder/$name/bin/${name%-*}-server" --version | cut -d' ' -f1-3)"
done
