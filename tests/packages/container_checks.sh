#!/usr/bin/env bash
# What tests/packages/container.sh runs in the root, in place of docker.
set -euo pipefail
# shellcheck source=../systemd/system.sh
. /tmp/tests/system.sh
shell='sh'
# Alpine's shell, where it is at hand.
if command -v busybox >/dev/null; then shell='busybox sh'; fi
beside_ftl=''

start_beside_ftl() {
  GRAVITY_SYNC_SSH_PORT=2222 $shell /usr/local/lib/gravity-sync/beside-ftl >>/tmp/beside-ftl.log 2>&1 &
  beside_ftl=$!
}
logs_in() { ssh -F none -p 2222 -i /srv/ph1/state/id_ed25519 -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o ExitOnForwardFailure=yes "$@" </dev/null; }
reaches_the_agent() { logs_in gravity-sync@127.0.0.1 sh -c 'echo a shell' | head -c 12 | grep -q '^gravity-sync'; }
forwards_nothing() { ! logs_in -W 127.0.0.1:2222 gravity-sync@127.0.0.1 && ! logs_in -R 12345:127.0.0.1:2222 gravity-sync@127.0.0.1; }
gives_no_terminal() { ! logs_in -tt gravity-sync@127.0.0.1 2>&1 | grep -q '[$#] $'; }
lets_nobody_else_in() { ! logs_in root@127.0.0.1 && ! logs_in pihole@127.0.0.1; }
daemon_answers() { gravity-sync status --quiet; }
has_records() { gravity-sync info | grep -q 'native'; }
# All processes but the keepers, which are root's as Pi-hole's start.sh is.
belongs_to_the_owner() { [ "$(ps -o user= -C sshd,gravity-sync | sort -u)" = pihole ]; }
nothing_of_roots() { [ -z "$(find /etc/pihole -user root)" ]; }
fingerprint() { ssh-keygen -lf /var/lib/gravity-sync-peers/host/ssh_host_ed25519_key.pub | cut -d' ' -f2; }
from_the_peer() { gravity-sync --config /srv/ph1/gravity-sync.toml "$@"; }
is_the_same_after_a_push() { from_the_peer push --force && from_the_peer compare --exit-code && [ "$(ftl /etc/pihole)" = "$(ftl /srv/ph1/pihole)" ]; }
nothing_runs() { ! pgrep -x 'gravity-sync|sshd'; }
has_the_same_key() { [ "$(fingerprint)" = "$1" ] && reaches_the_agent; }

trap '[ "$?" = 0 ] || tail -n 40 /tmp/beside-ftl.log' EXIT
printf '#!/bin/sh\nexit 0\n' >/usr/local/sbin/apk
chmod +x /usr/local/sbin/apk
check 'the image is made' $shell /tmp/container/install-in-image beside-ftl "$(dpkg --print-architecture | sed s/armhf/arm/)"

install_pihole /tmp
echo 'DOCKER_VERSION=2026.07.2' >>/etc/pihole/versions
chown pihole:pihole /etc/pihole/versions
install -o pihole /dev/null /run/pihole-FTL.pid
as pihole /usr/local/libexec/pihole-FTL --daemon --directory /etc/pihole --dns-port-file /etc/pihole/.port &
ftl=$!

start_beside_ftl
check 'the daemon answers' within daemon_answers
check 'it takes the Pi-hole for one of its own system, with records' has_records
check 'it and the sshd belong to the owner' belongs_to_the_owner
ssh-keygen -q -t ed25519 -N '' -f /srv/ph1/state/id_ed25519
printf 'restrict,command="/usr/local/bin/gravity-sync agent --peer ph1" %s\n' "$(cat /srv/ph1/state/id_ed25519.pub)" >/var/lib/gravity-sync-peers/.ssh/authorized_keys
check 'a peer reaches the agent and no shell' within reaches_the_agent
check 'forwards nothing' forwards_nothing
check 'gets no terminal' gives_no_terminal
check 'and is nobody else' lets_nobody_else_in
cat >>/srv/ph1/gravity-sync.toml <<'END'

[[peer]]
name = "ph2"
host = "127.0.0.1"
port = 2222
END
from_the_peer --quiet trust ph2 --fingerprint "$(fingerprint)"
check 'what the peer has is here, records as well' is_the_same_after_a_push
check 'no file of the Pi-hole belongs to root' nothing_of_roots
key=$(fingerprint)
kill "$beside_ftl"
check 'all of it ends' within nothing_runs
start_beside_ftl
check 'a new start has the same host key' within has_the_same_key "$key"
kill "$beside_ftl"
check 'FTL ran on' kill -0 "$ftl"
kill "$ftl"

# shellcheck disable=SC2154  # of system.sh
exit $((failures > 0))
