# shellcheck shell=bash
# For the scripts that tests/systemd/run.sh runs in the system that it has booted: checks by name, and a Pi-hole, which is installed for good.
[ "${GSYNC_IN_SYSTEM:-}" = 1 ] || { echo "this is for tests/systemd/run.sh" >&2; exit 2; }
# shellcheck source=../support/check.sh
. "$(dirname "${BASH_SOURCE[0]}")/../support/check.sh"
# Until it is so, for half a minute or longer.
within() {
  for _ in $(seq 150); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.2
  done
  "$@"
}
as() { setpriv "--reuid=$1" "--regid=$(id -g "$1")" --clear-groups "${@:2}"; }
ftl() { FTL_STAND_IN_DIRECTORY=$1 /usr/local/libexec/pihole-FTL --config dns.hosts "${@:2}"; }

# install_pihole BUILD [NAME]: /etc/pihole, which is ph2 if it is not named, and another one in /srv, with the stand-in for FTL.
install_pihole() {
  local build=$1 name=${2:-ph2}
  useradd --system --no-create-home --shell /usr/sbin/nologin pihole
  install -D "$build/tests/ftl-stand-in" /usr/local/libexec/pihole-FTL
  "$build/tests/make-pihole" --directory /srv/ph1 --name ph1
  "$build/tests/make-pihole" --directory /srv/ph2 --name ph2 --numbering 7 --edits 12
  # What stands in for FTL's command names where that was built.
  sed -i "s|[^ '\"]*/ftl-stand-in|/usr/local/libexec/pihole-FTL|" /srv/ph1/pihole-FTL /srv/ph2/pihole-FTL
  mv "/srv/$name/pihole" /etc/pihole
  sed -i "s|/srv/$name/pihole|/etc/pihole|; s|/srv/$name/run/|/run/|" /etc/pihole/pihole.toml
  sed "s|/srv/$name/pihole|/etc/pihole|; s|NEEDS_CHOWN=0|NEEDS_CHOWN=1|" "/srv/$name/pihole-FTL" >/usr/bin/pihole-FTL
  chmod 755 /usr/bin/pihole-FTL
  chown -R pihole:pihole /etc/pihole
  mkdir -p /etc/dnsmasq.d
  cat >/etc/systemd/system/pihole-FTL.service <<'END'
[Service]
User=pihole
ExecStartPre=+/usr/bin/install -o pihole /dev/null /run/pihole-FTL.pid
ExecStart=/usr/local/libexec/pihole-FTL --daemon --directory /etc/pihole --dns-port-file /run/pihole-FTL/port
RuntimeDirectory=pihole-FTL
END
}

# name_the_peer USER: ph1, as whom this host logs in to itself.
name_the_peer() {
  mkdir -p /etc/gravity-sync
  cat >/etc/gravity-sync/gravity-sync.toml <<END
[node]
name = "ph2"
[pihole]
dns_port = 0
[[peer]]
name = "ph1"
host = "127.0.0.1"
user = "$1"
END
}
