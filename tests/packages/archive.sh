#!/usr/bin/env bash
# Installs the archive where there is nothing but busybox: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"
# shellcheck source=../support/check.sh
. "$source_directory/tests/support/check.sh"

usage() {
  cat <<'END'
usage: tests/packages/archive.sh [--arch ARCHITECTURE] DIST

Makes a root of one file, a static busybox, and in it installs the archive that packaging/tarball.sh made, once as on a system with OpenRC and
once as on one that has cron only; installs it again, and takes it away again, after which nothing may be left. The program must run there
without any library. Needs root and busybox-static; otherwise it says so, and exits with 77.

  --arch ARCHITECTURE   the archive for another one than this machine's, whose programs the kernel here must be able to start:
                        tests/packages/foreign.sh sees to that
  --help                this text
END
}

architecture=$(dpkg --print-architecture) dist=''
while [ $# -gt 0 ]; do
  case $1 in
    --arch) [ $# -ge 2 ] || { usage >&2; exit 2; }; architecture=$2; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) usage >&2; exit 2 ;;
    *) dist=$1 ;;
  esac
  shift
done
[ -n "$dist" ] || { usage >&2; exit 2; }
skip() { say "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "this changes into a root, which only root may"
busybox=$(command -v busybox) || skip "there is no busybox; apt-get install busybox-static"
if ldd "$busybox" >/dev/null 2>&1; then skip "$busybox is not static; apt-get install busybox-static"; fi
archive=$(find "$dist" -name "gravity-sync-*-$architecture.tar.gz" | sort | tail -n 1)
[ -n "$archive" ] || fail "there is no gravity-sync-*-$architecture.tar.gz in $dist; make it with packaging/tarball.sh --arch $architecture"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-archive-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT

make_root() {
  root=$work/$1
  mkdir -p "$root"/{bin,etc,proc,tmp,dev,run,var/lib,sbin}
  cp "$busybox" "$root/bin/busybox"
  # A name for each of its programs, as Alpine has them.
  for name in $("$busybox" --list | grep -vx busybox); do ln -sf busybox "$root/bin/$name"; done
  # A file does for a device here.
  touch "$root/dev/null" && chmod 0666 "$root/dev/null"
  printf 'root:x:0:0:root:/root:/bin/sh\nsystem:x:999:999::/:/bin/false\n' >"$root/etc/passwd"
  printf 'root:x:0:\nsystem:x:999:\n' >"$root/etc/group"
  (umask 077 && printf 'root:*:19000:0:99999:7:::\n' >"$root/etc/shadow")
  tar -C "$root/tmp" --strip-components=1 -xzf "$archive"
  if [ "$1" = openrc ]; then printf '#!/bin/sh\n' >"$root/sbin/openrc-run" && chmod +x "$root/sbin/openrc-run"; fi
}
in_root() { unshare --mount --pid --fork --net chroot "$root" /bin/busybox env -i PATH=/usr/local/bin:/bin:/sbin sh -c "$1" </dev/null; }
snapshot() { (cd "$root" && find . \( -type f -o -type l \) -printf '%p %m %u\n' | sort && cat etc/passwd etc/group etc/shadow); }
same_as() { diff "$1" <(snapshot); }
has() { [ -e "$root$1" ]; }
account_is_right() {
  grep -q '^gravity-sync:x:998:998:gravity-sync peers:/var/lib/gravity-sync-peers:/bin/sh$' "$root/etc/passwd" && grep -q '^gravity-sync:x:998:$' "$root/etc/group" &&
    grep -q '^gravity-sync:\*:' "$root/etc/shadow" && [ "$(stat -c %a "$root/etc/shadow")" = 600 ]
}
# The state and the second database do not come into being without a Pi-hole.
says_what_is_lacking() { in_root 'gravity-sync info; [ $? != 0 ]' && in_root 'gravity-sync info 2>&1 || true' | grep -q /etc/pihole; }
refuses_debian() {
  mkdir -p "$root/var/lib/dpkg/info" "$root/usr/bin"
  touch "$root/var/lib/dpkg/info/gravity-sync.list" "$root/usr/bin/gravity-sync"
  local said
  if said=$(in_root 'cd /tmp && ./install.sh' 2>&1); then return 1; fi
  rm -r "$root/var/lib/dpkg" "${root:?}/usr/bin"
  grep -q 'Debian package' <<<"$said"
}

for kind in openrc cron; do
  make_root $kind
  snapshot >"$work/before"
  check "$kind: the program runs without any library" in_root '/tmp/bin/gravity-sync version'
  check "$kind: it is not installed over the Debian package" refuses_debian
  check "$kind: install.sh installs" in_root 'cd / && sh /tmp/install.sh'
  check "$kind: the account is for SSH only" account_is_right
  check "$kind: the program says what is lacking" says_what_is_lacking
  if [ $kind = openrc ]; then check "$kind: there is a script for OpenRC" has /etc/init.d/gravity-sync; fi
  echo '# mine' >>"$root/etc/gravity-sync/gravity-sync.toml"
  snapshot >"$work/installed"
  check "$kind: install.sh installs again" in_root 'cd /tmp && ./install.sh'
  check "$kind: which changes nothing" same_as "$work/installed"
  check "$kind: my configuration stays" grep -q '^# mine' "$root/etc/gravity-sync/gravity-sync.toml"
  check "$kind: it is removed" in_root '/tmp/install.sh --remove'
  check "$kind: but not the configuration" has /etc/gravity-sync/gravity-sync.toml
  check "$kind: it is purged" in_root '/tmp/install.sh --remove --purge'
  check "$kind: no file and no account is left" same_as "$work/before"
done
exit $((failures > 0))
