#!/usr/bin/env bash
# Builds and tests gravity-sync on another Debian, in a root of its own: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/debian.sh [--release NAME] [--root DIRECTORY] [-- COMMAND [ARGUMENT...]]

Makes a minimal Debian with debootstrap, copies this checkout into it and runs COMMAND there (tests/run.sh --werror). Nothing of the
host is used but its kernel and network, so this also shows what a fresh machine needs.

  --release NAME     bookworm, trixie... (trixie)
  --root DIRECTORY   keep the root there and use it again; otherwise it is made in a temporary directory and removed
  --help             this text

MIRROR names the Debian mirror, otherwise debootstrap's own default. Needs root.
END
}

release=trixie root=''
while [ $# -gt 0 ]; do
  case $1 in
    --release) [ $# -ge 2 ] || { usage >&2; exit 2; }; release=$2; shift ;;
    --root) [ $# -ge 2 ] || { usage >&2; exit 2; }; root=$2; shift ;;
    --help | -h) usage; exit 0 ;;
    --) shift; break ;;
    *) say "tests/debian.sh: what is '$1'?"; usage >&2; exit 2 ;;
  esac
  shift
done
[ $# -gt 0 ] || set -- tests/run.sh --werror

[ "$(id -u)" = 0 ] || fail "this makes a root directory and changes into it; run it with sudo"
if ! command -v debootstrap >/dev/null; then
  say "Installing: debootstrap"
  apt-get -q update </dev/null >&2 || say "apt-get update failed; trying with the old lists"
  apt-get -q install -y --no-install-recommends debootstrap </dev/null >&2 || fail "debootstrap could not be installed (see above)"
fi

if [ -z "$root" ]; then
  root=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-$release-XXXXXX")
  trap 'rm -rf --one-file-system "$root"' EXIT
  # Tests that are started by root become other users, who must get through what is / to them.
  chmod 0755 "$root"
fi
if [ ! -x "$root/usr/bin/apt-get" ]; then
  say "Making a Debian $release in $root"
  # shellcheck disable=SC2086  # no word where there is no mirror
  debootstrap --variant=minbase "$release" "$root" ${MIRROR:-} </dev/null >&2 || fail "debootstrap failed (see above)"
fi
# As on every Debian that was installed, not made: what is linked into the archive must not lack them.
if [ "$release" != sid ] && ! grep -q security "$root/etc/apt/sources.list"; then
  security=$(sed -n "s,^deb \(.*\)/debian/\{0\,1\} $release .*,deb \1/debian-security $release-security main,p" "$root/etc/apt/sources.list")
  if [ -n "$security" ]; then echo "$security" >>"$root/etc/apt/sources.list"; else say "The mirror has no other name for security updates that could be guessed; they are not used"; fi
fi
cp /etc/resolv.conf "$root/etc/resolv.conf"

# What is committed or would be: what git does not ignore.
rm -rf "$root/src/gravity-sync"
mkdir -p "$root/src/gravity-sync"
(cd "$source_directory" && git ls-files -z --cached --others --exclude-standard | tar -c --null --ignore-failed-read -T - 2>/dev/null) | tar -x -C "$root/src/gravity-sync" --no-same-owner

# The mounts live in a namespace, so that nothing is left behind however this ends.
# shellcheck disable=SC2016  # expanded by the shell in the namespace
unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" \
  sh -c 'root=$1; shift
    mount -t devpts -o newinstance,ptmxmode=0666,mode=0620 devpts "$root/dev/pts" && mount --bind "$root/dev/pts/ptmx" "$root/dev/ptmx" || exit 1
    exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TMPDIR=/tmp \
      sh -c "cd /src/gravity-sync && exec \"\$@\"" sh "$@"' sh "$root" "$@" </dev/null
