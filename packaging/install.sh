#!/bin/sh
# Installs gravity-sync from the directory that this file is in, on systems without Debian's packages, and takes it away again: see --help.
# For every /bin/sh, busybox's among them.
set -eu

usage() {
  cat <<'END_OF_USAGE'
usage: ./install.sh [--root DIRECTORY]
       ./install.sh --remove [--purge] [--root DIRECTORY]

Puts the program into /usr/local, makes the account gravity-sync that peers log in to, an example of the configuration, and what starts the
daemon on this system: units for systemd, a script for OpenRC, else an example for cron. Nothing is started. Says what it does; what is there
already stays as it is, so it can be run again, also to update.

  --remove           take the program and what starts it away
  --purge            and the configuration, the keys, the history and the account
  --root DIRECTORY   install into this directory instead of /
  --help             this text
END_OF_USAGE
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

remove=no purge=no root=''
while [ $# -gt 0 ]; do
  case $1 in
    --remove) remove=yes ;;
    --purge) purge=yes ;;
    --root) [ $# -ge 2 ] || { usage >&2; exit 2; }; root=${2%/}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) printf 'install.sh: what is "%s"?\n' "$1" >&2; usage >&2; exit 2 ;;
  esac
  shift
done
if [ "$purge" = yes ] && [ "$remove" = no ]; then fail "--purge goes with --remove"; fi
here=$(cd "$(dirname "$0")" && pwd)
account=gravity-sync
home=/var/lib/gravity-sync-peers
units='gravity-sync.service gravity-sync-agent.socket gravity-sync-status.socket'

[ "$(id -u)" = 0 ] || fail "this makes an account and writes to /usr/local and /etc; run it as root: sudo ./install.sh"
[ -d "$root/etc" ] || fail "there is no system in ${root:-/}"
[ -e "$root/etc/passwd" ] || fail "there is no $root/etc/passwd"

# What starts services here. In another root nothing runs, but what is there can be told.
if [ -d "$root/run/systemd/system" ] || { [ -n "$root" ] && [ -x "$root/lib/systemd/systemd" ]; }; then
  starter=systemd
elif [ -x "$root/sbin/openrc-run" ]; then
  starter=openrc
else
  starter=cron
fi
in_account_file() { grep -q "^$account:" "$root/etc/$1"; }

# put MODE FILE PLACE: whole or not at all, since a program that runs cannot be written to.
put() {
  say "  $3"
  mkdir -p "$root$(dirname "$3")"
  cp "$here/$2" "$root$3.new"
  chmod "$1" "$root$3.new"
  mv -f "$root$3.new" "$root$3"
}
drop() {
  if [ -e "$root$1" ] || [ -L "$root$1" ]; then
    say "  $1"
    rm -rf "$root${1:?}"
  fi
}

# By lines of our own: the programs for it differ from system to system, and not all can set '*' as the password, which is nobody's
# and, unlike '!', does not lock the account for sshd.
make_account() {
  if in_account_file passwd; then
    say "The account $account is there already."
    return
  fi
  say "Making the account $account, for SSH only: no password fits it, and its files are root's."
  id=$(cut -d: -f3 "$root/etc/passwd" "$root/etc/group" | awk '$1 >= 300 && $1 < 1000 { taken[$1] = 1 } END { for (i = 999; i >= 300; i--) if (!(i in taken)) { print i; exit } }')
  [ -n "$id" ] || fail "there is no free user id from 300 to 999"
  if in_account_file group; then
    group=$(sed -n "s/^$account:[^:]*:\([0-9]*\):.*/\1/p" "$root/etc/group")
  else
    group=$id
    add_line group "$account:x:$group:"
    if [ -e "$root/etc/gshadow" ]; then add_line gshadow "$account:!::"; fi
  fi
  if [ -e "$root/etc/shadow" ]; then add_line shadow "$account:*:$(($(date +%s) / 86400))::::::"; fi
  add_line passwd "$account:x:$id:$group:gravity-sync peers:$home:/bin/sh"
}
# Beside the old file and in its place in one step. Its mode and owner stay.
add_line() { edit "$1" "$2" ''; }
drop_lines() { if in_account_file "$1" 2>/dev/null; then edit "$1" '' "^$account:"; fi; }
edit() {
  cp -p "$root/etc/$1" "$root/etc/$1.gravity-sync"
  { if [ -n "$3" ]; then grep -v "$3" "$root/etc/$1" || true; else cat "$root/etc/$1"; fi; if [ -n "$2" ]; then printf '%s\n' "$2"; fi; } \
    >"$root/etc/$1.gravity-sync"
  mv -f "$root/etc/$1.gravity-sync" "$root/etc/$1"
}

files_of_program='/usr/local/bin/gravity-sync /usr/local/share/man/man1/gravity-sync.1 /usr/local/share/man/man5/gravity-sync.toml.5
/usr/local/share/bash-completion/completions/gravity-sync /usr/local/share/zsh/site-functions/_gravity-sync
/usr/local/share/fish/vendor_completions.d/gravity-sync.fish /usr/local/share/gravity-sync'

stop_service() {
  [ -z "$root" ] || return 0
  case $starter in
    systemd)
      # shellcheck disable=SC2086  # three units
      systemctl disable --now $units >/dev/null 2>&1 || true
      ;;
    openrc)
      rc-service gravity-sync stop >/dev/null 2>&1 || true
      rc-update del gravity-sync >/dev/null 2>&1 || true
      ;;
  esac
}

if [ "$remove" = yes ]; then
  say "Stopping the daemon, if it runs."
  stop_service
  # Our second database stands beside Pi-hole's, wherever that is; the program knows.
  database=''
  if [ -z "$root" ] && [ -x /usr/local/bin/gravity-sync ]; then
    database=$(/usr/local/bin/gravity-sync --json info 2>/dev/null | sed -n 's/.*"database": *"\([^"\\]*\)".*/\1/p') || true
  fi
  say "Removing:"
  for file in $files_of_program; do drop "$file"; done
  # Directories in which nothing else is.
  for directory in man/man1 man/man5 bash-completion/completions bash-completion zsh/site-functions zsh fish/vendor_completions.d fish; do
    rmdir "$root/usr/local/share/$directory" 2>/dev/null || true
  done
  for unit in $units; do drop "/etc/systemd/system/$unit"; drop "/etc/systemd/system/$unit.d"; done
  if [ -z "$root" ] && [ "$starter" = systemd ]; then systemctl daemon-reload || true; fi
  drop /etc/init.d/gravity-sync
  drop /etc/cron.d/gravity-sync
  drop /etc/pihole/.gravity-sync
  if [ -n "$database" ]; then drop "${database%/*}/.gravity-sync"; fi
  drop /run/gravity-sync
  if [ "$purge" = no ]; then
    say "The configuration, the keys, the history and the account stay. --remove --purge takes them, too."
    exit 0
  fi
  drop /etc/gravity-sync
  drop /var/lib/gravity-sync
  drop /var/log/gravity-sync.log
  if grep -q "^$account:.*:$home:" "$root/etc/passwd"; then
    say "  the account $account"
    for file in passwd shadow group gshadow; do drop_lines "$file"; done
  fi
  drop "$home"
  exit 0
fi

# --- install

case $(uname -m) in
  armv[456]*) fail "this program needs a processor of ARMv7 or later, and this one is $(uname -m) (Pi Zero, Zero W and 1); build it there from source" ;;
esac
if [ -e "$root/var/lib/dpkg/info/gravity-sync.list" ] && [ -e "$root/usr/bin/gravity-sync" ]; then
  fail "the Debian package gravity-sync is installed here; update that, or remove it first: apt-get remove gravity-sync"
fi
if [ -e "$root/etc/systemd/system/gravity-sync.timer" ]; then
  fail "the timer of the retired gravity-sync script is still here, and would start what is installed now: systemctl disable --now gravity-sync.timer; rm /etc/systemd/system/gravity-sync.timer; systemctl daemon-reload"
fi
[ -e "$here/bin/gravity-sync" ] || fail "$here/bin/gravity-sync is not there: this script belongs into the unpacked archive"
said=$("$here/bin/gravity-sync" version 2>&1) || fail "the program does not run on this machine ($(uname -m)); is it the archive for it? It says: $said"

say "Installing $(printf '%s\n' "$said" | head -n 1):"
put 0755 bin/gravity-sync /usr/local/bin/gravity-sync
put 0644 share/gravity-sync.1 /usr/local/share/man/man1/gravity-sync.1
put 0644 share/gravity-sync.toml.5 /usr/local/share/man/man5/gravity-sync.toml.5
put 0644 share/gravity-sync.bash /usr/local/share/bash-completion/completions/gravity-sync
put 0644 share/gravity-sync.zsh /usr/local/share/zsh/site-functions/_gravity-sync
put 0644 share/gravity-sync.fish /usr/local/share/fish/vendor_completions.d/gravity-sync.fish
put 0644 share/gravity-sync.cron /usr/local/share/gravity-sync/gravity-sync.cron
put 0644 share/started-by-root.conf /usr/local/share/gravity-sync/started-by-root.conf
if [ -e "$root/etc/gravity-sync/gravity-sync.toml" ]; then
  say "  /etc/gravity-sync/gravity-sync.toml is there already; what is new stands in /usr/local/share/gravity-sync/gravity-sync.toml"
else
  put 0644 share/gravity-sync.toml /etc/gravity-sync/gravity-sync.toml
fi
put 0644 share/gravity-sync.toml /usr/local/share/gravity-sync/gravity-sync.toml

make_account
for directory in "$home" "$home/.ssh"; do
  mkdir -p "$root$directory"
  chown 0:0 "$root$directory"
  chmod 0755 "$root$directory"
done

case $starter in
  systemd)
    say "Units for systemd:"
    for unit in $units; do put 0644 "share/$unit" "/etc/systemd/system/$unit"; done
    if [ -z "$root" ]; then
      systemctl daemon-reload
      systemctl try-restart gravity-sync.service || fail "the daemon that was running does not start again: journalctl -u gravity-sync"
    fi
    next='systemctl enable --now gravity-sync-agent.socket gravity-sync-status.socket gravity-sync.service'
    ;;
  openrc)
    say "A script for OpenRC:"
    put 0755 share/gravity-sync.openrc /etc/init.d/gravity-sync
    if [ -z "$root" ] && rc-service gravity-sync status >/dev/null 2>&1; then
      rc-service gravity-sync restart || fail "the daemon that was running does not start again: /var/log/gravity-sync.log"
    fi
    next='rc-update add gravity-sync default && rc-service gravity-sync start'
    ;;
  cron)
    say "There is neither systemd nor OpenRC here. /usr/local/share/gravity-sync/gravity-sync.cron syncs every five minutes from cron."
    say "Peers that log in to this host are served by the daemon (gravity-sync daemon, started by root). Where only cron runs it, $account has to be"
    say "another name of the Pi-hole's owner: give it the uid and gid of /etc/pihole/gravity.db in /etc/passwd (usermod --non-unique)."
    next='cp /usr/local/share/gravity-sync/gravity-sync.cron /etc/cron.d/gravity-sync'
    ;;
esac
if ! command -v sshd >/dev/null 2>&1 && [ ! -x "$root/usr/sbin/sshd" ]; then
  say "There is no sshd here: this Pi-hole can log in to peers, but none to it."
fi
say "Done. Look first: gravity-sync info. When there is a peer in /etc/gravity-sync/gravity-sync.toml: $next"
