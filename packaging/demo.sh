#!/usr/bin/env bash
# Shows gravity-sync at work on two made-up Pi-holes on this machine: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: packaging/demo.sh [--no-install]

Builds gravity-sync, makes two Pi-hole directories with 60,000 blocked domains each, starts an SSH server of its own on 127.0.0.1, and lets
one Pi-hole pull from the other. No Pi-hole is needed or touched. Installs the Debian packages that are missing (with sudo when you are not
root; --no-install: not). The server and the directories are gone at the end; the build stays in build/ (or BUILD_DIR).
END
}

install=yes
for option; do
  case $option in
    --no-install) install=no ;;
    --help | -h) usage; exit 0 ;;
    *) say "demo.sh: what is '$option'?"; usage >&2; exit 2 ;;
  esac
done
[ "$install" = no ] || install_missing

# Under sudo only the packages needed root: the build and the Pi-holes are the person's who called.
if [ "$(id -u)" = 0 ] && [ "${SUDO_UID:-0}" != 0 ]; then
  home=$(getent passwd "$SUDO_UID" | cut -d: -f6)
  exec setpriv --reuid="$SUDO_UID" --regid="$SUDO_GID" --init-groups env -u SUDO_UID HOME="$home" TMPDIR= bash "$0" --no-install
fi

user=$(id -un)
case $(getent passwd "$user" | cut -d: -f7) in
  '') fail "sshd lets in only users that have an entry in /etc/passwd; run this as another user" ;;
  */nologin | */false) fail "the login shell of $user lets nobody in, so sshd cannot run a command; run this as another user" ;;
esac

build_directory=${BUILD_DIR:-$source_directory/build}
say "Building gravity-sync in $build_directory (the first time takes some minutes, on a Pi longer) ..."
build() { configure_and_build "$source_directory" "$build_directory" "gravity-sync ftl-stand-in make-pihole" -DGSYNC_TESTS=ON; }
build_log=
if [ -t 2 ]; then
  build
else
  # Nobody watches it grow, so it is shown only if it fails.
  build_log=$(mktemp)
  trap 'rm -f "$build_log"' EXIT
  (build) 2>"$build_log" || { cat "$build_log" >&2; exit 1; }
fi
build_directory=$(cd "$build_directory" && pwd)

# --- what must be gone at the end

here=$(mktemp -d "${TMPDIR:-/tmp}/gravity-sync-demo.XXXXXX")
sshd_pid=
made_run_directory=no
clean_up() {
  status=$?
  trap '' INT TERM
  if [ -n "$sshd_pid" ]; then
    kill "$sshd_pid" 2>/dev/null || true
    wait "$sshd_pid" 2>/dev/null || true
  fi
  if [ "$made_run_directory" = yes ]; then rmdir /run/sshd 2>/dev/null || true; fi
  rm -rf "$here" ${build_log:+"$build_log"}
  exit "$status"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# --- how it looks

bold='' faint='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$'\e[1m' faint=$'\e[2m' plain=$'\e[0m'; fi
number=0
explain() {
  number=$((number + 1))
  printf '\n%s%d. %s%s\n' "$bold" "$number" "$*" "$plain"
}
# on NODE COMMAND...: shows the command and runs it as it would be typed on that Pi-hole.
on() {
  local node=$1
  shift
  printf '%s%s$%s %s\n' "$faint" "$node" "$plain" "$*"
  GRAVITY_SYNC_CONFIG="$here/$node/gravity-sync.toml" "$@" 2>&1
}

# --- two Pi-holes

PATH=$build_directory:$PATH
now=$(date +%s)
make_pihole=$build_directory/tests/make-pihole
"$make_pihole" "$here/ph1" --name ph1 --household home --domains 60000 --recompiled 400 --updated $((now - 7200))
"$make_pihole" "$here/ph2" --name ph2 --household home-before --domains 60000 --numbering 7 --updated $((now - 1900000))

# --- an SSH server that only this demonstration uses

ssh-keygen -q -t ed25519 -N '' -C 'ph1, host key' -f "$here/ssh_host_ed25519_key"
ssh-keygen -q -t ed25519 -N '' -C 'gravity-sync of ph2' -f "$here/ph2/state/id_ed25519"
printf 'restrict,command="%q --config %q agent --peer ph2" %s\n' "$build_directory/gravity-sync" "$here/ph1/gravity-sync.toml" \
  "$(cat "$here/ph2/state/id_ed25519.pub")" >"$here/authorized_keys"
if [ "$(id -u)" = 0 ] && [ ! -d /run/sshd ]; then
  mkdir -m 0755 /run/sshd
  made_run_directory=yes
fi
# Without PAM, sshd takes a root without a password for a locked account.
pam=no
case $(getent shadow "$user" 2>/dev/null | cut -d: -f2) in '!'*) pam=yes ;; esac

start_sshd() {
  port=$((20000 + RANDOM % 40000))
  cat >"$here/sshd_config" <<END
ListenAddress 127.0.0.1
Port $port
HostKey $here/ssh_host_ed25519_key
AuthorizedKeysFile $here/authorized_keys
PidFile none
StrictModes no
UsePAM $pam
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
END
  /usr/sbin/sshd -D -e -f "$here/sshd_config" 2>"$here/sshd.log" </dev/null &
  sshd_pid=$!
  for _ in $(seq 100); do
    if grep -q 'Server listening' "$here/sshd.log"; then return 0; fi
    kill -0 "$sshd_pid" 2>/dev/null || break
    sleep 0.1
  done
  kill "$sshd_pid" 2>/dev/null || true
  wait "$sshd_pid" 2>/dev/null || true
  sshd_pid=
  return 1
}
# Somebody else may have the port.
start_sshd || start_sshd || start_sshd || { cat "$here/sshd.log" >&2; fail "the SSH server does not start (see above)"; }
cat >>"$here/ph2/gravity-sync.toml" <<END

[[peer]]
name = "ph1"
host = "127.0.0.1"
port = $port
user = "$user"
END

# --- the demonstration

cat <<END

Two made-up Pi-holes stand in $here:
ph1, which is cared for, and ph2, which has fallen behind. An SSH server of our own on 127.0.0.1, port $port,
leads from ph2 to ph1, and a small program plays the part of pihole-FTL.
END

explain "ph1 shows the fingerprint of its SSH host key; ph2 is told to trust exactly this key. Done once."
on ph1 ssh-keygen -lf "$here/ssh_host_ed25519_key.pub"
on ph2 gravity-sync trust ph1 --fingerprint "$(ssh-keygen -lf "$here/ssh_host_ed25519_key.pub" | cut -d' ' -f2)"

explain "What differs? Row by row, in Pi-hole's words. Row numbers and dates differ too, but they mean nothing."
on ph2 gravity-sync compare

explain "Make ph2 as ph1 is. The new database is made beside the live one and exchanged with it, so that FTL never waits."
on ph2 gravity-sync pull

explain "And now?"
on ph2 gravity-sync compare

explain "A second pull finds nothing to do, and reads no database to see that. This is what cron would run every few minutes."
on ph2 gravity-sync pull

explain "That was a mistake? The lists and records as they were before come back."
on ph2 gravity-sync undo

explain "The history tells what was done, and with --id every row of it."
on ph2 gravity-sync history
on ph2 gravity-sync history --id 2

printf '\nThe server and both Pi-holes are removed now. To set up two real ones: README.md\n'
