#!/usr/bin/env bash
# One step of tests/packages/hosts.sh, in one of its systems.
set -euo pipefail
# shellcheck source=../systemd/system.sh
. /source/tests/systemd/system.sh
# shellcheck source=snapshot.sh
. /source/tests/packages/snapshot.sh
export DEBIAN_FRONTEND=noninteractive
password='raspberry & "pi'
key=/var/lib/gravity-sync/id_ed25519
ftl_pid() { systemctl show -p MainPID --value pihole-FTL; }
# Waits for what somebody who sits at the terminal is shown, and types his answer if there is one.
answer() {
  local shown='' sign
  while IFS= read -r -d '' -n 1 -t 60 -u 5 sign; do
    shown+=$sign
    if [[ $shown == *"$1"* ]]; then
      [ $# = 1 ] || printf '%s\n' "$2" >&6
      return
    fi
  done
  echo "not shown: $1; but: $shown"
  return 1
}
at_a_terminal() {
  coproc terminal { script -qefc "$1" /dev/null 2>&1; }
  # bash forgets them when the process ends.
  job=$terminal_PID
  exec 5<&"${terminal[0]}" 6>&"${terminal[1]}"
}
# The rest of what is shown, and how it ended.
ended() {
  cat <&5
  wait "$job"
}

prepare() {
  hostname "$1"
  install_pihole /build "$1"
  useradd --create-home --shell /bin/bash pi
  printf 'pi:%s\n' "$password" | chpasswd
  usermod --append --groups sudo pi
  systemctl start ssh pihole-FTL
  ftl_pid >/tmp/ftl
  snapshot >/tmp/before
}
# The command of the README's quick start that begins so.
readme() { sed -n "s|^    \(sudo $1 .*\)|\1|p" /source/README.md | head -n 1 | grep .; }
# Its name of the package is another.
install_package() {
  local command package=/build/$1.deb
  command=$(readme 'apt install') || return
  [ "${command/.\/gravity-sync_*.deb/}" != "$command" ] && ${command/.\/gravity-sync_*.deb/$package} --yes --option Dpkg::Options::=--force-confold
}
# The stand-in's FTL answers at a port that the system chose.
install_version() {
  install_package "$1" && { [ "$1" = later ] || sed -i 's/^\[pihole\]$/&\ndns_port = 0/' /etc/gravity-sync/gravity-sync.toml; } &&
    grep -q '^dns_port = 0' /etc/gravity-sync/gravity-sync.toml
}
fingerprint() { ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2; }
pair_with_a_wrong_fingerprint() {
  ! gravity-sync pair "pi@$1" --fingerprint "SHA256:$(printf 'A%.0s' $(seq 43))" >/tmp/said 2>&1 && grep -q 'another host key' /tmp/said &&
    ! grep -q '^\[\[peer' /etc/gravity-sync/gravity-sync.toml
}
pair_with_a_wrong_password() {
  at_a_terminal "gravity-sync pair pi@$1 --name ph1 --fingerprint $2"
  for _ in 1 2 3; do answer 'password:' wrong || return; done
  ! ended >/tmp/said && grep -q "cannot log in to $1 as pi" /tmp/said && ! grep -q '^\[\[peer' /etc/gravity-sync/gravity-sync.toml
}
pair() {
  local command
  command=$(readme 'gravity-sync pair') || return
  [ "${command/192.168.1.2/}" != "$command" ] || return
  at_a_terminal "${command/192.168.1.2/$1}"
  answer "$2" && answer '(yes or no)' yes && answer 'password:' "$password" && answer 'for sudo on' "$password" && answer 'Which is right?' there && ended
}
in_step() { within gravity-sync status --exit-code; }
edit() { as pihole sqlite3 -cmd '.timeout 5000' /etc/pihole/gravity.db "INSERT INTO domainlist (type, domain) VALUES (1, '$1')"; }
is_there() { [ "$(sqlite3 -readonly /etc/pihole/gravity.db "SELECT count(*) FROM domainlist WHERE domain = '$1'")" = 1 ]; }
has() { within is_there "$1"; }
key_opens_nothing() {
  local login=(ssh -F none -i "$key" -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null) said
  said=$("${login[@]}" "gravity-sync@$1" id </dev/null 2>/dev/null | tr -d '\0') || true
  [[ $said == gravity-sync* && $said != *uid=* ]] || { echo "$said"; return 1; }
  said=$("${login[@]}" -tt "gravity-sync@$1" </dev/null 2>&1 | tr -d '\0') || true
  [[ $said != *'$ '* ]] || { echo "$said"; return 1; }
  ! "${login[@]}" -o ExitOnForwardFailure=yes -N -R 0:127.0.0.1:53 "gravity-sync@$1" </dev/null 2>/dev/null
}
one_capability() {
  local pid=''
  for pid in $(cat /sys/fs/cgroup/system.slice/gravity-sync.service/cgroup.procs); do
    # Some come and go.
    [ -e "/proc/$pid/status" ] || continue
    # CAP_CHOWN, which is the first bit, is permitted for a child, and effective in none.
    grep -qE '^CapEff:\s0+$' "/proc/$pid/status" && grep -qE '^CapBnd:\s0*[01]$' "/proc/$pid/status" && grep -q '^NoNewPrivs:\s1' "/proc/$pid/status" ||
      { grep -E '^(Name|Uid|Cap|NoNew)' "/proc/$pid/status"; return 1; }
  done
  [ -n "$pid" ]
}
sockets_refuse_others() {
  local socket
  for socket in agent status; do
    ! as nobody bash -c "exec 3<>/dev/null; [ -w /run/gravity-sync/$socket.sock ]" || { ls -l /run/gravity-sync; return 1; }
  done
  ! as nobody gravity-sync status >/dev/null 2>&1
}
no_secret_is_shown() {
  local secret
  if [ -e "$key" ]; then
    secret=$(sed -n 3p "$key")
    ! journalctl --no-pager -o cat | grep -qF "$secret" && ! gravity-sync key --json | grep -qF "$secret" || return
  fi
  ! journalctl --no-pager -o cat | grep -qF "$password" && ! grep -rqF "$password" /etc/gravity-sync /var/lib/gravity-sync
}
# Now by a key and without a password for sudo.
pair_again() {
  ssh-keygen -q -t ed25519 -N '' -f /root/admin_key
  at_a_terminal "ssh-copy-id -i /root/admin_key.pub -o UserKnownHostsFile=/dev/null -o StrictHostKeyChecking=no pi@$1"
  answer 'password:' "$password" && ended >/dev/null
  gravity-sync config show >/tmp/config.before
  at_a_terminal "gravity-sync pair pi@$1 --identity /root/admin_key"
  answer 'for sudo on' "$password" && ended || return
  gravity-sync config show | diff /tmp/config.before - && in_step
}
same_ftl() { [ "$(ftl_pid)" = "$(cat /tmp/ftl)" ]; }
unpair() {
  # The peer is named by what `pair` was given.
  at_a_terminal "gravity-sync unpair $1 --admin pi@$1 --identity /root/admin_key"
  answer 'for sudo on' "$password" && ended || return
  ! grep -q '^\[\[peer' /etc/gravity-sync/gravity-sync.toml
}
pair_once_more() {
  at_a_terminal "gravity-sync pair pi@$1 --identity /root/admin_key --fingerprint $2 --first both"
  answer 'for sudo on' "$password" && ended && in_step
}
knows_nobody() { ! grep -q ssh-ed25519 /var/lib/gravity-sync-peers/.ssh/authorized_keys; }
purge() {
  gravity-sync purge --yes && dpkg --purge gravity-sync || return
  rm -rf /home/pi/.ssh /root/admin_key /root/admin_key.pub
}
# What sudo remembers is sudo's.
nothing_is_left() { diff /tmp/before <(snapshot | grep -v -e ^/var/lib/sudo/lectured/ -e /.sudo_as_admin_successful); }

"$@"
