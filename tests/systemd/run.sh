#!/usr/bin/env bash
# Runs the units of packaging/systemd under a real systemd: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/systemd/run.sh [--build DIRECTORY] [--checks SCRIPT] ROOT

Boots systemd in namespaces of its own, over a copy of the Debian in ROOT that is thrown away, with a Pi-hole in /etc/pihole, a stand-in
for its FTL, and a peer behind an sshd that only this network namespace sees. Then the units are installed and used as the README says.
ROOT is one that `tests/debian.sh --root ROOT` has made; its build is used.

  --build DIRECTORY  use this build, whose libraries ROOT must have
  --checks SCRIPT    run this one of the checkout instead of tests/systemd/checks.sh; its argument is the build
  --help             this text

Needs root, and a kernel with cgroup2 and overlayfs.
END
}

build='' root='' checks=tests/systemd/checks.sh
while [ $# -gt 0 ]; do
  case $1 in
    --build) [ $# -ge 2 ] || { usage >&2; exit 2; }; build=$(readlink -f "$2"); shift ;;
    --checks) [ $# -ge 2 ] || { usage >&2; exit 2; }; checks=$2; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) say "tests/systemd/run.sh: what is '$1'?"; usage >&2; exit 2 ;;
    *) root=$(readlink -f "$1") ;;
  esac
  shift
done
[ -n "$root" ] || { usage >&2; exit 2; }
[ "$(id -u)" = 0 ] || fail "this boots a system; run it with sudo"
[ -x "$root/lib/systemd/systemd" ] && [ -x "$root/usr/sbin/sshd" ] ||
  fail "there is no systemd, or no sshd, in $root: chroot $root apt-get install systemd openssh-server"
# shellcheck source=boot.sh
. "$source_directory/tests/systemd/boot.sh"
boot_system ph2 "$root" "$source_directory" "$build"
[ -z "$build" ] || build=/build
in_system ph2 bash "/source/$checks" "${build:-/src/gravity-sync/build}"
