#!/usr/bin/env bash
# What tests/packages/run.sh runs in the system that it has booted.
set -euo pipefail
# shellcheck source=../systemd/system.sh
. /source/tests/systemd/system.sh
# shellcheck source=snapshot.sh
. /source/tests/packages/snapshot.sh
stage=$1
export DEBIAN_FRONTEND=noninteractive
# The sockets first: a daemon that finds none makes its own, for no other group than its own.
units='gravity-sync-agent.socket gravity-sync-status.socket gravity-sync.service'
config=/etc/gravity-sync/gravity-sync.toml

ftl_pid() { systemctl show -p MainPID --value pihole-FTL; }
same_ftl() { [ "$(ftl_pid)" = "$ftl_before" ] && kill -0 "$ftl_before"; }
main_pid() { systemctl show -p MainPID --value gravity-sync; }
in_step() { gravity-sync status --exit-code; }
field() { getent "$1" gravity-sync | cut -d: -f"$2"; }
is() { [ "$1" = "$2" ] || { echo "'$1' is not '$2'"; return 1; }; }
# shellcheck disable=SC2086  # three words
none_enabled() { ! systemctl is-enabled --quiet $units && ! systemctl is-active --quiet $units; }
config_is_the_example() { is "$(stat -c '%U %G %a' "$config")" 'root root 644' && gravity-sync info >/dev/null; }
account_is_for_ssh_only() {
  is "$(field passwd 7)" /bin/sh && is "$(field shadow 2)" '*' && is "$(id -Gn gravity-sync)" gravity-sync || return
  local home
  home=$(field passwd 6)
  is "$home" /var/lib/gravity-sync-peers && is "$(stat -c '%U %G %a' "$home" "$home/.ssh" | sort -u)" 'root root 755'
}
logs_in() { ssh -F none -i /root/peer_key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null gravity-sync@127.0.0.1 "$@" </dev/null; }
the_key_reaches_the_agent() { logs_in sh -c 'echo a shell' | head -c 12 | grep -q '^gravity-sync'; }
refuses_armv6() {
  local directory=/tmp/armv6 said
  mkdir -p "$directory"
  dpkg-deb --control "$stage/first.deb" "$directory/control"
  printf '#!/bin/sh\necho armv6l\n' >"$directory/uname"
  chmod +x "$directory/uname"
  if said=$(PATH=$directory:$PATH DPKG_MAINTSCRIPT_ARCH=armhf sh "$directory/control/preinst" install 2>&1); then return 1; fi
  grep -q 'ARMv7 or later' <<<"$said" && DPKG_MAINTSCRIPT_ARCH=armhf sh "$directory/control/preinst" install
}
start_it() {
  # shellcheck disable=SC2086  # three words
  systemctl enable --now --quiet $units
  within in_step
}
is_upgraded() {
  dpkg-query -W -f '${Version}' gravity-sync | grep -q later && [ "$(main_pid)" != "$daemon_before" ] && within in_step
}
mine_stays() { grep -q '^name = "ph2"' "$config" && is "$(field shadow 2)" '!changed'; }
is_stopped() { ! pgrep -x gravity-sync && [ ! -e /usr/bin/gravity-sync ]; }
keeps_what_is_not_the_program() { [ -e "$config" ] && [ -e /var/lib/gravity-sync/state.db ] && [ ! -e /etc/pihole/.gravity-sync ] && getent passwd gravity-sync; }
is_foreign() { is "$(field passwd 6)" /home/other && is "$(field passwd 7)" /bin/bash; }
install_package() { dpkg --force-confold -i "$stage/$1.deb"; }

# What `pair` does: this host is its own peer, too, so that one system is enough.
make_known() {
  gravity-sync --quiet info
  as pihole ssh-keygen -q -t ed25519 -N '' -f /var/lib/gravity-sync/id_ed25519
  printf 'restrict,command="%s --config /srv/ph1/gravity-sync.toml agent --peer ph2" %s\n' "$(command -v gravity-sync)" \
    "$(cat /var/lib/gravity-sync/id_ed25519.pub)" >/root/.ssh/authorized_keys
  printf 'restrict,command="%s agent --peer ph3" %s\n' "$(command -v gravity-sync)" "$(cat /root/peer_key.pub)" \
    >/var/lib/gravity-sync-peers/.ssh/authorized_keys
  gravity-sync --quiet trust ph1 --fingerprint "$(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)"
}

install_pihole "$stage"
install -d -m 0700 /root/.ssh
touch /root/.ssh/authorized_keys
ssh-keygen -q -t ed25519 -N '' -f /root/peer_key
systemctl start ssh pihole-FTL
ftl_before=$(ftl_pid)
snapshot >/tmp/before

check 'the package installs' dpkg -i "$stage/first.deb"
check 'nothing is enabled or started' none_enabled
check 'the configuration is the example' config_is_the_example
check 'the account is for SSH only' account_is_for_ssh_only
check 'on ARMv6 it is refused with a sentence' refuses_armv6
check 'FTL ran on' same_ftl
name_the_peer root
make_known
check 'the daemon starts, and what the peer has is here' start_it
check 'a key of the account reaches the agent and no shell' the_key_reaches_the_agent

usermod --password '!changed' gravity-sync
daemon_before=$(main_pid)
check 'a later version installs' install_package later
check 'and runs' is_upgraded
check 'what is configured stays' mine_stays
check 'FTL ran on' same_ftl

check 'it is removed' dpkg --remove gravity-sync
check 'the daemon is stopped' is_stopped
check 'configuration, history and account stay, the second database goes' keeps_what_is_not_the_program
check 'it installs again' install_package first
check 'it is purged' dpkg --purge gravity-sync
check 'no file and no account is left' nothing_is_left /tmp/before
check 'FTL ran on' same_ftl

useradd --system --home-dir /home/other --shell /bin/bash gravity-sync
check 'it installs where somebody has that account' dpkg -i "$stage/first.deb"
check 'which is left alone' is_foreign
check 'it is purged' dpkg --purge gravity-sync
check 'the account stays' is_foreign
userdel gravity-sync
check 'no file is left' nothing_is_left /tmp/before

if [ -e "$stage/gravity-sync.tar.gz" ]; then
  mkdir /tmp/unpacked
  tar -C /tmp/unpacked --strip-components=1 -xzf "$stage/gravity-sync.tar.gz"
  check 'install.sh installs' /tmp/unpacked/install.sh
  # Else bash looks for the program where it was.
  hash -r
  check 'nothing is enabled or started' none_enabled
  check 'the configuration is the example' config_is_the_example
  check 'the account is for SSH only' account_is_for_ssh_only
  name_the_peer root
  make_known
  check 'the daemon starts, and what the peer has is here' start_it
  check 'a key of the account reaches the agent and no shell' the_key_reaches_the_agent
  daemon_before=$(main_pid)
  check 'install.sh installs again' /tmp/unpacked/install.sh
  check 'the daemon runs' within in_step
  check 'and was restarted' test "$(main_pid)" != "$daemon_before"
  check 'install.sh takes it away' /tmp/unpacked/install.sh --remove --purge
  check 'no file and no account is left' nothing_is_left /tmp/before
  check 'FTL ran on' same_ftl
else
  echo 'skipped the archive: there is none'
fi

# shellcheck disable=SC2154  # of system.sh
[ "$failures" = 0 ] || journalctl -u gravity-sync -o cat --no-pager | tail -n 40
exit $((failures > 0))
