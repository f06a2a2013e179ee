# shellcheck shell=bash
# All files and what they are, but for what dpkg and the system itself write. Access to an account is a file, too.
snapshot() {
  find / -xdev \( -path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /source -o -path /var/tmp -o -path /var/lib/dpkg -o -path /var/log \
    -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/systemd -o -path /outside -o -path /etc/pihole -o -path /srv \) -prune -o \
    ! -name 'passwd-' ! -name 'shadow-' ! -name 'group-' ! -name 'gshadow-' ! -name 'sub[ug]id-' ! -name .pwd.lock ! -name ld.so.cache -printf '%p %y %m %u %g\n' | sort
  find /run /etc/pihole -path '*gravity-sync*' | sort
  cat /etc/passwd /etc/shadow /etc/group /etc/gshadow
}
nothing_is_left() { diff "$1" <(snapshot); }
