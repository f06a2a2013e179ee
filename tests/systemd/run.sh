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
cgroups=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$cgroups" ] || fail "no cgroup2 is mounted"
work=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-systemd-XXXXXX")
cgroup=$cgroups/$(basename "$work")
launcher='' system=''

end() {
  [ -z "$launcher" ] || { kill -KILL "$launcher" 2>/dev/null || true; wait "$launcher" 2>/dev/null || true; }
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null
    [ -d "$cgroup" ] || break
    sleep 0.2
  done
  rm -rf --one-file-system "$work"
}
trap end EXIT

# What follows runs in the namespaces, where every mount goes with them.
# shellcheck disable=SC2016  # expanded by the shell there
boot='
  set -e
  work=$1 lower=$2 source=$3 build=$4 root=$work/root
  mount --make-rprivate /
  mkdir "$root" "$work/memory"
  mount -t tmpfs tmpfs "$work/memory"
  mkdir "$work/memory/upper" "$work/memory/work"
  mount -t overlay overlay -o "lowerdir=$lower,upperdir=$work/memory/upper,workdir=$work/memory/work" "$root"
  mount -t proc proc "$root/proc"
  mount -t sysfs sysfs "$root/sys"
  mount -t cgroup2 none "$root/sys/fs/cgroup"
  mount -t tmpfs -o mode=755 tmpfs "$root/dev"
  for name in null zero full random urandom tty; do touch "$root/dev/$name"; mount --bind "/dev/$name" "$root/dev/$name"; done
  mkdir "$root/dev/pts" "$root/dev/shm"
  mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
  ln -s pts/ptmx "$root/dev/ptmx"
  ln -s /proc/self/fd "$root/dev/fd"
  for name in run dev/shm tmp; do mount -t tmpfs tmpfs "$root/$name"; done
  chmod 755 "$root/run"
  mkdir -p "$root/source" "$root/outside"
  mount --bind "$source" "$root/source"
  # Not where it lies: the service does not see /tmp and /home.
  if [ -n "$build" ]; then mkdir -p "$root/build"; mount --bind "$build" "$root/build"; fi
  ip link set lo up
  cd "$root"
  pivot_root . outside
  umount -l /outside
  exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --system --show-status=0 --unit=multi-user.target
'
mkdir "$cgroup"
(
  echo "$BASHPID" >"$cgroup/cgroup.procs"
  exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup sh -c "$boot" sh "$work" "$root" "$source_directory" "$build"
) </dev/null >"$work/console" 2>&1 &
launcher=$!

in_system() { nsenter -t "$system" -a env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root "$@"; }
state=''
for _ in $(seq 300); do
  kill -0 "$launcher" 2>/dev/null || fail "systemd did not start: $(cat "$work/console")"
  system=$(cut -d' ' -f1 "/proc/$launcher/task/$launcher/children" 2>/dev/null || true)
  [ -z "$system" ] || state=$(in_system systemctl is-system-running 2>/dev/null || true)
  case $state in running | degraded) break ;; esac
  sleep 0.2
done
case $state in running | degraded) ;; *) fail "systemd did not come up: $(cat "$work/console")" ;; esac
say "$(in_system systemctl --version | head -n 1) runs"
[ -z "$build" ] || build=/build
in_system GSYNC_IN_SYSTEM=1 bash "/source/$checks" "${build:-/src/gravity-sync/build}"
