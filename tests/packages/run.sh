#!/usr/bin/env bash
# Installs, upgrades, removes and purges the packages in a system that is booted for it: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/packages/run.sh [--release NAME] [--root DIRECTORY] [--build DIRECTORY] [--only WHAT]
                             [--previous FILE] DIST

DIST is a directory with what packaging/deb.sh and packaging/tarball.sh made for this machine: gravity-sync_*.deb and, if it is to be tried,
gravity-sync-*.tar.gz. A Debian is made with debootstrap and booted by tests/systemd/run.sh, with a Pi-hole and a stand-in for its FTL, which
must never be restarted. There the package is installed, upgraded, removed and purged, and no file may be left. Then two such systems, with a
network between them, are connected by `gravity-sync pair`, edited, upgraded one after the other, and purged.

  --release NAME     bookworm, trixie (bookworm)
  --root DIRECTORY   keep the root there and use it again
  --build DIRECTORY  where tests/ftl-stand-in and tests/make-pihole are (build in the checkout)
  --only WHAT        one (system), or two
  --previous FILE    a .deb of an earlier version: the two systems have it first; else they have the same as the later version, under another number
  --help             this text

MIRROR names the Debian mirror. Needs root. Where this machine cannot boot a system in namespaces it says so, and exits with 77.
END
}

release=bookworm root='' build=$source_directory/build dist='' only='one two' previous=''
while [ $# -gt 0 ]; do
  case $1 in
    --release | --root | --build | --only | --previous) [ $# -ge 2 ] || { usage >&2; exit 2; } ;;&
    --release) release=$2; shift ;;
    --root) root=$2; shift ;;
    --build) build=$2; shift ;;
    --only) only=$2; shift ;;
    --previous) previous=$(readlink -e "$2") || fail "there is no $2"; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) say "tests/packages/run.sh: what is '$1'?"; usage >&2; exit 2 ;;
    *) dist=$1 ;;
  esac
  shift
done
[ -n "$dist" ] || { usage >&2; exit 2; }
skip() { say "skipped: $*"; exit 77; }
[ "$(id -u)" = 0 ] || skip "this boots a system, which only root may"
unshare --mount --pid --fork --uts --ipc --net --cgroup true 2>/dev/null || skip "namespaces cannot be made here"
findmnt -n -t cgroup2 >/dev/null || skip "no cgroup2 is mounted"
grep -qw overlay /proc/filesystems || skip "this kernel has no overlayfs"
command -v debootstrap >/dev/null || skip "there is no debootstrap"
architecture=$(dpkg --print-architecture)
package=$(find "$dist" -name "gravity-sync_*_$architecture.deb" | sort | tail -n 1)
[ -n "$package" ] || fail "there is no gravity-sync_*_$architecture.deb in $dist; make it with packaging/deb.sh"
for program in ftl-stand-in make-pihole; do [ -x "$build/tests/$program" ] || fail "$build/tests/$program is not built"; done

work=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-packages-XXXXXX")
trap 'rm -rf --one-file-system "$work"' EXIT
chmod 0755 "$work"
root=${root:-$work/root}
if [ ! -x "$root/lib/systemd/systemd" ]; then
  say "Making a Debian $release in $root"
  # shellcheck disable=SC2086  # no word where there is no mirror
  debootstrap --variant=minbase --include=systemd,openssh-server,procps,iproute2 "$release" "$root" ${MIRROR:-} </dev/null >&2 ||
    fail "debootstrap failed (see above)"
fi
# The system that is booted has no network. What apt finds for this release is what a user's apt would.
cp /etc/resolv.conf "$root/etc/resolv.conf"
cp "$package" "$root/tmp/gravity-sync.deb"
in_root() { chroot "$root" env DEBIAN_FRONTEND=noninteractive "$@" </dev/null; }
in_root apt-get -q update >&2 || say "apt-get update failed; trying with the old lists"
to_install=$(in_root apt-get -s -q install --no-install-recommends /tmp/gravity-sync.deb) || fail "apt cannot install the package on $release: $to_install"
# With a person on each host who may use sudo there.
to_install+=$'\n'$(in_root apt-get -s -q install --no-install-recommends sudo openssh-client sqlite3)
dependencies=$(sed -n 's/^Inst \([^ ]*\).*/\1/p' <<<"$to_install" | grep -vx gravity-sync || true)
# shellcheck disable=SC2086  # one word for each
[ -z "$dependencies" ] || in_root apt-get -q install -y --no-install-recommends $dependencies >&2
rm "$root/tmp/gravity-sync.deb"

# The same again as a later version, with a changed example of the configuration.
stage=$work/stage
mkdir -p "$stage/tests" "$stage/later"
cp "$build/tests/ftl-stand-in" "$build/tests/make-pihole" "$stage/tests/"
cp "$package" "$stage/first.deb"
find "$dist" -name "gravity-sync-*-$architecture.tar.gz" -exec cp {} "$stage/gravity-sync.tar.gz" \;
dpkg-deb --raw-extract "$package" "$stage/later"
sed -i 's/^\(Version: .*\)/\1+later/' "$stage/later/DEBIAN/control"
echo '# A later version says more.' >>"$stage/later/etc/gravity-sync/gravity-sync.toml"
dpkg-deb --build --root-owner-group "$stage/later" "$stage/later.deb" >/dev/null
rm -r "$stage/later"
case $only in *one*) "$source_directory/tests/systemd/run.sh" --build "$stage" --checks tests/packages/checks.sh "$root" ;; esac
[ -z "$previous" ] || cp "$previous" "$stage/first.deb"
case $only in *two*) "$source_directory/tests/packages/hosts.sh" "$stage" "$root" ;; esac
