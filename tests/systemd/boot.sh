# shellcheck shell=bash
# Systems that are booted in namespaces of their own, each over a copy of a Debian that is thrown away: for the scripts that test them.
# Needs `say` and `fail` of packaging/prepare.sh, root, and a kernel with cgroup2 and overlayfs.
cgroups=$(findmnt -n -t cgroup2 -o TARGET | head -n 1)
[ -n "$cgroups" ] || fail "no cgroup2 is mounted"
systems=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-systemd-XXXXXX")
declare -A launchers=() booted=()

end_systems() {
  local name
  for name in "${!launchers[@]}"; do
    kill -KILL "${launchers[$name]}" 2>/dev/null || true
    wait "${launchers[$name]}" 2>/dev/null || true
  done
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    find "$cgroups" -maxdepth 1 -name "$(basename "$systems")-*" -exec find {} -depth -type d -exec rmdir {} + \; 2>/dev/null || true
    [ -z "$(find "$cgroups" -maxdepth 1 -name "$(basename "$systems")-*")" ] && break
    sleep 0.2
  done
  rm -rf --one-file-system "$systems"
}
trap end_systems EXIT

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
# in_system NAME COMMAND…
in_system() { nsenter -t "${booted[$1]}" -a env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root GSYNC_IN_SYSTEM=1 "${@:2}"; }

# boot_system NAME ROOT SOURCE BUILD: returns when systemd has come up. What is in SOURCE is seen at /source there, and BUILD at /build.
boot_system() {
  local name=$1 work=$systems/$1 cgroup state='' system=''
  cgroup=$cgroups/$(basename "$systems")-$name
  mkdir "$cgroup" "$work"
  (
    echo "$BASHPID" >"$cgroup/cgroup.procs"
    exec unshare --mount --pid --fork --kill-child --uts --ipc --net --cgroup sh -c "$boot" sh "$work" "$2" "$3" "$4"
  ) </dev/null >"$work/console" 2>&1 &
  launchers[$name]=$!
  for _ in $(seq 300); do
    kill -0 "${launchers[$name]}" 2>/dev/null || fail "systemd did not start: $(cat "$work/console")"
    system=$(cut -d' ' -f1 "/proc/${launchers[$name]}/task/${launchers[$name]}/children" 2>/dev/null || true)
    booted[$name]=$system
    [ -z "$system" ] || state=$(in_system "$name" systemctl is-system-running 2>/dev/null || true)
    case $state in running | degraded) break ;; esac
    sleep 0.2
  done
  case $state in running | degraded) ;; *) fail "systemd did not come up: $(cat "$work/console")" ;; esac
  say "$name: $(in_system "$name" systemctl --version | head -n 1) runs"
}
