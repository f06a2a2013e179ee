#!/usr/bin/env bash
# What tests/systemd/run.sh runs in the system that it has booted. It installs a Pi-hole and the units, for good.
set -euo pipefail
# shellcheck source=system.sh
. /source/tests/systemd/system.sh
build=$1
units=/source/packaging/systemd

equal_records() { gravity-sync status --now && [ "$(ftl /etc/pihole)" = "$(ftl /srv/ph1/pihole)" ]; }
nothing_of_roots() { [ -z "$(find /etc/pihole -user root)" ]; }
main_pid() { systemctl show -p MainPID --value gravity-sync; }
is_piholes() { [ "$(stat -c %U "/proc/$(main_pid)")" = pihole ]; }
in_step() { gravity-sync status --exit-code; }
greets_the_account() { as gravity-sync gravity-sync agent --peer x </dev/null | head -c 12 | grep -q '^gravity-sync'; }
refuses_others() { ! as nobody gravity-sync agent --peer x </dev/null; }
sees_ftl() { gravity-sync info | grep -q 'FTL process .*pid [0-9]*, signal'; }
is_another_one() { [ "$(main_pid)" != "$1" ] && in_step; }
comes_back() {
  local before
  before=$(main_pid)
  systemctl kill -s KILL gravity-sync
  within is_another_one "$before"
}
nothing_left() { ! pgrep -x gravity-sync; }

install_units() {
  install -m 0644 "$units"/*.service "$units"/*.socket /etc/systemd/system/
  install -D -m 0644 "$units/gravity-sync.sysusers" /etc/sysusers.d/gravity-sync.conf
  install -D -m 0644 "$units/gravity-sync.tmpfiles" /etc/tmpfiles.d/gravity-sync.conf
  systemd-sysusers
  systemd-tmpfiles --create /etc/tmpfiles.d/gravity-sync.conf
  systemctl daemon-reload
}

make_known() {
  systemctl start ssh
  # The state directory is made by whatever root runs first.
  gravity-sync --quiet info
  as pihole ssh-keygen -q -t ed25519 -N '' -f /var/lib/gravity-sync/id_ed25519
  install -d -m 0700 /root/.ssh
  printf 'restrict,command="/usr/local/bin/gravity-sync --config /srv/ph1/gravity-sync.toml agent --peer ph2" %s\n' \
    "$(cat /var/lib/gravity-sync/id_ed25519.pub)" >/root/.ssh/authorized_keys
  gravity-sync --quiet trust ph1 --fingerprint "$(ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub | cut -d' ' -f2)"
}

install "$build/gravity-sync" /usr/local/bin/
install_pihole "$build"
name_the_peer root
install_units >/dev/null 2>&1
systemctl start pihole-FTL
make_known
all='gravity-sync-agent.socket gravity-sync-status.socket gravity-sync.service'

# shellcheck disable=SC2086  # three words
check 'the units start' systemctl enable --now --quiet $all
check 'what the peer has is here' within in_step
check 'compare finds no difference' gravity-sync compare --exit-code
check 'no file of the Pi-hole belongs to root' nothing_of_roots
check 'FTL is seen and can be signalled' sees_ftl
ftl /srv/ph1/pihole '["192.168.1.77 added.lan"]' >/dev/null
check 'records are set by a child with CAP_CHOWN' within equal_records
check 'agent.sock lets the account of the peers in' greets_the_account
check 'and nobody else' refuses_others
check 'systemd-analyze security rates it 2.0 or better' systemd-analyze security --no-pager --threshold=20 gravity-sync.service
check 'it reloads' systemctl reload gravity-sync
check 'it comes back when it was killed' comes_back
# shellcheck disable=SC2086
systemctl disable --now --quiet $all
check 'nothing is left when it was stopped' within nothing_left

install -D -m 0644 "$units/started-by-root.conf" /etc/systemd/system/gravity-sync.service.d/started-by-root.conf
systemctl daemon-reload
check 'root starts it' systemctl enable --now --quiet gravity-sync.service
check 'it belongs to the owner of the Pi-hole' is_piholes
ftl /srv/ph1/pihole '["192.168.1.78 another.lan"]' >/dev/null
check 'records are set' within equal_records
check 'it is in step' within in_step
check 'no file of the Pi-hole belongs to root' nothing_of_roots
check 'it restarts' systemctl restart gravity-sync
systemctl stop gravity-sync
check 'nothing is left when it was stopped' within nothing_left

# shellcheck disable=SC2154  # of system.sh
[ "$failures" = 0 ] || journalctl -u gravity-sync -o cat --no-pager | tail -n 40
exit $((failures > 0))
