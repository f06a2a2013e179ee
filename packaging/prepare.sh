# shellcheck shell=bash
# Shared by tests/run.sh and packaging/demo.sh, which source it: installs what the build needs, and builds.

say() { printf '%s\n' "$*" >&2; }
fail() { say "$(basename "$0"): $*"; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    say "  (as root, through sudo: $*)"
    sudo "$@"
  else
    fail "this needs root and there is no sudo; run as root: $*"
  fi
}

# Prints the Debian packages that are not there yet. Tools may have come from elsewhere, so they are looked for by their names.
missing_packages() {
  local pair package
  for pair in cmake:cmake ninja:ninja-build pkg-config:pkg-config ssh-keygen:openssh-client zstd:zstd "${compiler_package:-g++:g++}" ${more_packages:-}; do
    command -v "${pair%%:*}" >/dev/null || echo "${pair#*:}"
  done
  for package in libsqlite3-dev libssh-dev libspdlog-dev libfmt-dev libcli11-dev libtomlplusplus-dev libzstd-dev libxxhash-dev \
    nlohmann-json3-dev libgtest-dev libgmock-dev; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
  # Its sshd is run on 127.0.0.1 for the time of a test only; but the package also starts a server of its own.
  [ -x /usr/sbin/sshd ] || echo openssh-server
}

install_missing() {
  if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    fail "packages can be installed on Debian and its relatives only; see CONTRIBUTING.md for what is needed, then use --no-install"
  fi
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [ -n "$missing" ] || return 0
  say "Installing: $missing"
  case " $missing" in
    *" openssh-server "*)
      say "  Debian starts an SSH server when it installs openssh-server. If you do not want one: sudo systemctl disable --now ssh" ;;
  esac
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q update </dev/null >&2 || say "apt-get update failed; trying with the old lists"
  # shellcheck disable=SC2086  # one word for each package
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends $missing </dev/null >&2 ||
    fail "the packages could not be installed (see above)"
}

# A compiler takes up to half a gigabyte here: a Pi with little memory builds one file at a time.
build_jobs() {
  local processors memory
  processors=$(nproc)
  memory=$(awk '/^MemAvailable:/ { print int($2 / 600000) }' /proc/meminfo)
  [ "${memory:-1}" -ge 1 ] || memory=1
  [ "$memory" -lt "$processors" ] && echo "$memory" || echo "$processors"
}

# configure_and_build SOURCE DIRECTORY "TARGETS" [CMAKE OPTIONS...]; an empty TARGETS is all of them.
configure_and_build() {
  local source=$1 directory=$2 targets=$3
  shift 3
  if command -v ccache >/dev/null; then set -- -DCMAKE_CXX_COMPILER_LAUNCHER=ccache "$@"; fi
  cmake --log-level=WARNING -S "$source" -B "$directory" -G Ninja "$@" </dev/null >&2 || fail "cmake failed (see above)"
  # shellcheck disable=SC2086  # one word for each target
  cmake --build "$directory" -j "$(build_jobs)" ${targets:+--target $targets} </dev/null >&2 || fail "the build failed (see above)"
}
