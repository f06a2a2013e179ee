#!/usr/bin/env bash
# Tries the packages and archives of other architectures, under an emulator: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"
# shellcheck source=../support/check.sh
. "$source_directory/tests/support/check.sh"

usage() {
  cat <<'END'
usage: tests/packages/foreign.sh [--release NAME] [--roots DIRECTORY] DIST ARCHITECTURE...

For each ARCHITECTURE (arm64, armhf) a Debian of that architecture is made, whose every program qemu-user runs. There apt installs the package
of DIST, the program is started, and the package is purged, after which no file may be left. Then the archive is installed beside nothing but
busybox (tests/packages/archive.sh). For armhf, an ARMv6 is made up too: qemu's arm1176 with Debian's armel, which is for older processors
than armhf is. dpkg must refuse the package there with a sentence, and install.sh the archive; started all the same, the program would die.

  --release NAME      bookworm, trixie (bookworm)
  --roots DIRECTORY   keep the Debians there and use them again
  --help              this text

MIRROR names the Debian mirror. Needs root, debootstrap and qemu-user-static, and a kernel that hands programs to an emulator (binfmt_misc);
where there is none it says so, and exits with 77.
END
}

release=bookworm roots='' dist='' architectures=()
while [ $# -gt 0 ]; do
  case $1 in
    --release | --roots) [ $# -ge 2 ] || { usage >&2; exit 2; } ;;&
    --release) release=$2; shift ;;
    --roots) roots=$2; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) say "tests/packages/foreign.sh: what is '$1'?"; usage >&2; exit 2 ;;
    *) if [ -z "$dist" ]; then dist=$1; else architectures+=("$1"); fi ;;
  esac
  shift
done
[ ${#architectures[@]} -gt 0 ] || { usage >&2; exit 2; }
skip() { say "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "this makes root directories and changes into them, which only root may"
command -v debootstrap >/dev/null || skip "there is no debootstrap"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-foreign-XXXXXX")
chmod 0755 "$work"
registered=()
clean() {
  # Seen by all processes of this machine: not for longer than needed.
  for name in "${registered[@]}"; do echo -1 >"$work/binfmt_misc/$name"; done
  if mountpoint -q "$work/binfmt_misc"; then umount "$work/binfmt_misc"; fi
  rm -rf --one-file-system "$work"
}
trap clean EXIT
mkdir "$work/binfmt_misc"
mount -t binfmt_misc binfmt_misc "$work/binfmt_misc" 2>/dev/null || skip "this kernel has no binfmt_misc"

# Has the kernel run an architecture's programs, as Debian's package of the emulator would have it do where systemd runs.
emulate() {
  if [ -e "$work/binfmt_misc/qemu-$1" ]; then return; fi
  [ -e "/usr/lib/binfmt.d/qemu-$1.conf" ] || skip "there is no qemu-user-static"
  cat "/usr/lib/binfmt.d/qemu-$1.conf" >"$work/binfmt_misc/register" || skip "the kernel takes no emulator for $1"
  registered+=("qemu-$1")
}
# make_root ARCHITECTURE [SECOND STAGE]
make_root() {
  root=${roots:-$work}/$release-$1
  if [ ! -e "$root/made" ]; then
    say "Making a Debian $release for $1 in $root"
    rm -rf --one-file-system "$root"
    # shellcheck disable=SC2086  # no word where there is no mirror
    debootstrap --foreign --arch "$1" --variant=minbase "$release" "$root" ${MIRROR:-} </dev/null >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "debootstrap failed"; }
    if [ $# -gt 1 ]; then in_root "$2" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "debootstrap failed"; }; fi
    touch "$root/made"
  fi
  cp /etc/resolv.conf "$root/etc/resolv.conf"
}
# shellcheck disable=SC2016  # expanded by the shell in the namespace
in_root() {
  unshare --mount --pid --fork --kill-child --mount-proc="$root/proc" chroot "$root" /usr/bin/env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    HOME=/root LANG=C.UTF-8 DEBIAN_FRONTEND=noninteractive ${processor:+"QEMU_CPU=$processor"} sh -c "$1" </dev/null
}
# Whatever it exits with.
says() {
  in_root "$1" >"$work/said" 2>&1 || true
  grep -q -e "$2" "$work/said" || { cat "$work/said"; return 1; }
}
processor=''
newest() { find "$dist" -name "$1" | sort | tail -n 1; }

try_package() {
  local package=$1
  make_root "$architecture" '/debootstrap/debootstrap --second-stage'
  check "$architecture: it is another processor" says 'uname -m && dpkg --print-architecture' "$machine"
  cp "$package" "$root/tmp/gravity-sync.deb"
  cp "$source_directory/tests/packages/snapshot.sh" "$root/tmp/"
  # What the package needs stays, so that only the package's own files are compared.
  in_root 'apt-get -q update && apt-get -q install -y --no-install-recommends passwd /tmp/gravity-sync.deb && dpkg --purge gravity-sync' >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "apt does not install the package"; }
  in_root 'bash -c ". /tmp/snapshot.sh && snapshot"' >"$work/before"
  check "$architecture: the package installs" in_root 'dpkg -i /tmp/gravity-sync.deb'
  check "$architecture: the program runs" says 'gravity-sync version' '^gravity-sync [0-9]'
  check "$architecture: it says its options" says 'gravity-sync --help' 'pull'
  check "$architecture: it reads its configuration" says 'gravity-sync config show' /etc/pihole
  check "$architecture: it says what is lacking" says 'gravity-sync info' /etc/pihole
  check "$architecture: there is the account" says 'getent passwd gravity-sync' ':/var/lib/gravity-sync-peers:/bin/sh$'
  check "$architecture: it is purged" in_root 'dpkg --purge gravity-sync'
  check "$architecture: no file and no account is left" same_as_before
}
same_as_before() { diff "$work/before" <(in_root 'bash -c ". /tmp/snapshot.sh && snapshot"'); }

refuses() {
  local said
  if said=$(in_root "$1" 2>&1); then echo 'it did not'; return 1; fi
  grep -q 'processor of ARMv7 or later, and this one is armv6l' <<<"$said" || { echo "$said"; return 1; }
}
not_installed() { [ ! -e "$root/usr/bin/gravity-sync" ] && [ ! -e "$root/usr/local/bin/gravity-sync" ] && [ ! -e "$root/etc/gravity-sync" ]; }
# Of an illegal instruction.
dies() {
  local status=0
  in_root "$1 version" || status=$?
  [ $status = $((128 + 4)) ] || { echo "it ended with $status"; return 1; }
}
try_armv6() {
  make_root armel
  # No more than unpacked, which is enough for dpkg and a shell.
  touch "$root/var/lib/dpkg/status" "$root/var/lib/dpkg/available"
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  processor=arm1176
  check 'ARMv6: it is one' says 'uname -m' '^armv6l$'
  if [ -n "$1" ]; then
    cp "$1" "$root/tmp/gravity-sync.deb"
    check 'ARMv6: dpkg refuses the package with a sentence' refuses 'dpkg --add-architecture armhf && dpkg -i /tmp/gravity-sync.deb'
    check 'ARMv6: and installs nothing of it' not_installed
  fi
  if [ -n "$2" ]; then
    rm -rf "$root/tmp/unpacked" && mkdir "$root/tmp/unpacked" && tar -C "$root/tmp/unpacked" --strip-components=1 -xzf "$2"
    check 'ARMv6: install.sh refuses the archive with a sentence' refuses '/tmp/unpacked/install.sh'
    check 'ARMv6: and installs nothing of it' not_installed
    check 'ARMv6: else the program would die' dies /tmp/unpacked/bin/gravity-sync
  fi
  processor=''
}

for architecture in "${architectures[@]}"; do
  case $architecture in
    arm64) machine=aarch64 emulator=aarch64 ;;
    armhf) machine=armv7l emulator=arm ;;
    *) fail "there are packages for amd64, which is for tests/packages/run.sh, arm64 and armhf, not for '$architecture'" ;;
  esac
  package=$(newest "gravity-sync_*_$architecture.deb") archive=$(newest "gravity-sync-*-$architecture.tar.gz")
  [ -n "$package$archive" ] || fail "there is neither a package nor an archive for $architecture in $dist; make them with packaging/deb.sh and packaging/tarball.sh"
  emulate $emulator
  if [ -n "$package" ]; then try_package "$package"; else say "skipped: there is no package for $architecture"; fi
  if [ -n "$archive" ]; then
    status=0
    "$source_directory/tests/packages/archive.sh" --arch "$architecture" "$dist" || status=$?
    [ $status = 0 ] || [ $status = 77 ] || failures=$((failures + 1))
  else
    say "skipped: there is no archive for $architecture"
  fi
  if [ "$architecture" = armhf ]; then try_armv6 "$package" "$archive"; fi
done
exit $((failures > 0))
