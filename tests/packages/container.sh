#!/usr/bin/env bash
# Does in a root what the container images do, as far as that goes without a container: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/packages/container.sh [--build DIRECTORY] --root DIRECTORY DIST

Runs packaging/container's scripts over a copy of the Debian in --root (as tests/packages/run.sh --root makes it) that is thrown away, in a
network namespace of its own: the archive of DIST is unpacked as in the image, and the daemon and the sshd run beside a made-up Pi-hole of uid 1000. It
stands in for Alpine, whose packages are not installed.

Needs root. Where this machine cannot do that it says so, and exits with 77.
END
}

root='' build=$source_directory/build dist=''
while [ $# -gt 0 ]; do
  case $1 in
    --root | --build) [ $# -ge 2 ] || { usage >&2; exit 2; } ;;&
    --root) root=$(readlink -f "$2"); shift ;;
    --build) build=$(readlink -f "$2"); shift ;;
    --help | -h) usage; exit 0 ;;
    -*) say "tests/packages/container.sh: what is '$1'?"; usage >&2; exit 2 ;;
    *) dist=$(readlink -f "$1") ;;
  esac
  shift
done
if [ -z "$root" ] || [ -z "$dist" ]; then usage >&2; exit 2; fi
skip() { say "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "this changes into a root, which only root may"
unshare --mount --pid --fork --net true 2>/dev/null || skip "namespaces cannot be made here"
grep -qw overlay /proc/filesystems || skip "this kernel has no overlayfs"
[ -x "$root/usr/sbin/sshd" ] || skip "there is no sshd in $root"
compgen -G "$dist/gravity-sync-*-$(dpkg --print-architecture).tar.gz" >/dev/null || fail "there is no archive in $dist; make it with packaging/tarball.sh"

work=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-container-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
# What follows runs in the namespaces, where every mount and process goes with them.
# shellcheck disable=SC2016  # expanded by the shell there
unshare --mount --pid --fork --kill-child --net bash -c '
  set -euo pipefail
  work=$1 lower=$2 source=$3 build=$4 dist=$5 root=$work/root
  mount --make-rprivate /
  mkdir "$root" "$work/memory"
  mount -t tmpfs tmpfs "$work/memory"
  mkdir "$work/memory/upper" "$work/memory/work"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/memory/upper,workdir=$work/memory/work" "$root"
  mount -t proc proc "$root/proc"
  mount --rbind /dev "$root/dev"
  for name in run tmp; do mount -t tmpfs tmpfs "$root/$name"; done
  mkdir -p "$root/tmp/dist" "$root/tmp/tests" "$root/tmp/support" "$root/run/sshd"
  cp "$dist"/gravity-sync-*.tar.gz "$root/tmp/dist/"
  cp -r "$source/packaging/container" "$root/tmp/container"
  cp "$build/tests/ftl-stand-in" "$build/tests/make-pihole" "$source/tests/packages/container_checks.sh" "$source/tests/systemd/system.sh" "$root/tmp/tests/"
  cp "$source/tests/support/check.sh" "$root/tmp/support/"
  ip link set lo up
  exec chroot "$root" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root GSYNC_IN_SYSTEM=1 bash /tmp/tests/container_checks.sh
' bash "$work" "$root" "$source_directory" "$build" "$dist" </dev/null
