#!/usr/bin/env bash
# Builds the Debian package, in a root of its own: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END_OF_USAGE'
usage: packaging/deb.sh [--arch ARCHITECTURE] [--release NAME] [--root DIRECTORY] [--output DIRECTORY] [--test | --test=MODULE,...]

Makes a minimal Debian with debootstrap, builds the package there, for another architecture with Debian's cross compiler, and looks at it
with lintian. A package that was built on Debian 12 (bookworm) installs on 12 and 13, and on Raspberry Pi OS of the same age.

  --arch ARCHITECTURE   amd64, arm64, armhf (this machine's)
  --release NAME        bookworm, trixie (bookworm)
  --test                build the unit tests, too, and run them, for another architecture with qemu; of some modules: --test=util,model
  --tarball             what packaging/tarball.sh makes, instead of a package
  --output DIRECTORY    where the result is put (dist in the checkout)
  --root DIRECTORY      keep the root there and use it again; it may have a compiler cache, which is used
  --here                build on this Debian, as root, and install here what that needs; with --upgrade, have it up to date first
  --help                this text

MIRROR names the Debian mirror. Needs root. With several architectures in one root, build them one after the other.
END_OF_USAGE
}

architecture=$(dpkg --print-architecture) release=bookworm root='' output=$source_directory/dist tests='' here=no upgrade=no tarball=no
while [ $# -gt 0 ]; do
  case $1 in
    --arch | --release | --root | --output) [ $# -ge 2 ] || { usage >&2; exit 2; } ;;&
    --arch) architecture=$2; shift ;;
    --release) release=$2; shift ;;
    --root) root=$2; shift ;;
    --output) output=$2; shift ;;
    --test) tests=all ;;
    --test=*) tests=${1#*=} ;;
    --tarball) tarball=yes ;;
    --here) here=yes ;;
    --upgrade) upgrade=yes ;;
    --help | -h) usage; exit 0 ;;
    *) say "packaging/deb.sh: what is '$1'?"; usage >&2; exit 2 ;;
  esac
  shift
done
case $architecture in
  amd64) machine=x86_64 triplet=x86_64-linux-gnu ;;
  arm64) machine=aarch64 triplet=aarch64-linux-gnu ;;
  armhf) machine=arm triplet=arm-linux-gnueabihf ;;
  *) fail "packages are made for amd64, arm64 and armhf (ARMv7), not for '$architecture'; on such a machine, build from source: packaging/demo.sh" ;;
esac
[ "$(id -u)" = 0 ] || fail "this installs packages in a root directory; run it with sudo"

if [ "$here" = no ]; then
  if [ -z "$root" ]; then
    root=$(mktemp -d "${TMPDIR:-/var/tmp}/gravity-sync-$release-XXXXXX")
    trap 'rm -rf --one-file-system "$root"' EXIT
    chmod 0755 "$root"
  fi
  inside=(--here --upgrade --arch "$architecture" --output /src/dist)
  if [ -n "$tests" ]; then inside+=("--test=$tests"); fi
  if [ "$tarball" = yes ]; then inside+=(--tarball); fi
  "$source_directory/tests/debian.sh" --release "$release" --root "$root" -- packaging/deb.sh "${inside[@]}"
  mkdir -p "$output"
  cp "$root"/src/dist/* "$output/"
  say "In $output: $(find "$root/src/dist" -type f -printf "%f\n" | tr '\n' ' ')"
  exit 0
fi

# --- on the Debian that builds

version=$(sed -n 's/^project(gravity-sync VERSION \([0-9.]*\).*/\1/p' "$source_directory/CMakeLists.txt")
grep -q "^gravity-sync ($version)" "$source_directory/packaging/debian/changelog" ||
  fail "CMakeLists.txt says version $version, and packaging/debian/changelog begins with $(head -n 1 "$source_directory/packaging/debian/changelog")"
install_packages() { apt-get -q install -y --no-install-recommends "$@" </dev/null >&2 || fail "the packages could not be installed (see above)"; }
export DEBIAN_FRONTEND=noninteractive
own=$(dpkg --print-architecture)
[ "$architecture" = "$own" ] || dpkg --add-architecture "$architecture"
# A library can be there for two architectures in one version only: security updates that the mirror has for some of them are of no use.
if [ "$upgrade" = yes ] && grep -q security /etc/apt/sources.list && ! apt-get -q update -o APT::Update::Error-Mode=any </dev/null >&2; then
  say "BUILDING WITHOUT SECURITY UPDATES: this mirror lacks lists of them for $(dpkg --print-foreign-architectures | tr '\n' ' ')or $own (see above)"
  sed -i '/security/d' /etc/apt/sources.list
fi
apt-get -q update </dev/null >&2 || say "apt-get update failed; trying with the old lists"
# A root that is used again is of an earlier day, or had updates that are not used today.
if [ "$upgrade" = yes ]; then
  printf 'Package: *\nPin: release o=Debian\nPin-Priority: 1001\n' >/etc/apt/up-or-down
  apt-get -q dist-upgrade -y --allow-downgrades -o Dir::Etc::Preferences=/etc/apt/up-or-down </dev/null >&2 ||
    say "The root could not be brought up to date; going on with what it has"
fi
packages=(build-essential debhelper dpkg-dev lintian)
if [ "$architecture" != "$own" ]; then
  packages+=("crossbuild-essential-$architecture")
  if [ -n "$tests" ]; then packages+=(qemu-user-static); fi
fi
install_packages "${packages[@]}"

# The package is built beside the checkout, where dpkg-buildpackage wants debian/ and where a compiler cache finds the same paths again.
work=/src/build/gravity-sync
rm -rf "$work" "$work"*_* "$output"
mkdir -p "$work" "$output"
tar -C "$source_directory" -c --exclude='./build*' --exclude=./dist . | tar -C "$work" -x
cp -r "$work/packaging/debian" "$work/debian"
cd "$work"

# Nobody gets the debugging symbols, and without them the build takes three quarters of the time.
export DEB_CFLAGS_STRIP=-g DEB_CXXFLAGS_STRIP=-g
profiles=() options="noautodbgsym parallel=$(build_jobs)"
if [ -z "$tests" ]; then profiles+=(nocheck) options+=' nocheck'; fi
if [ "$architecture" != "$own" ]; then profiles+=(cross); fi
profile_list=$(IFS=,; echo "${profiles[*]-}")
# What built another architecture before is in the way where a package cannot be there twice.
apt-get -q build-dep -y --no-install-recommends --host-architecture "$architecture" ${profile_list:+--build-profiles "$profile_list"} ./ </dev/null >&2 ||
  fail "what the build needs could not be installed (see above)"
if command -v ccache >/dev/null; then
  export CMAKE_C_COMPILER_LAUNCHER=ccache CMAKE_CXX_COMPILER_LAUNCHER=ccache
  export CCACHE_DIR=${CCACHE_DIR:-/src/ccache} CCACHE_NOHASHDIR=1 CCACHE_BASEDIR=$work
  # As debhelper sets it. The cache tells locales apart, and would have nothing of the package for the archive.
  export LC_ALL=C.UTF-8
fi
if [ -n "$tests" ]; then
  if [ "$tests" != all ]; then export TESTED=${tests//,/ }; fi
  if [ "$architecture" != "$own" ]; then export RUN_TESTS_WITH="qemu-$machine-static"; fi
fi

if [ "$tarball" = yes ]; then
  exec packaging/tarball.sh --here "$architecture" "$triplet" "$version" "$output"
fi
DEB_BUILD_OPTIONS=$options dpkg-buildpackage --build=binary --host-arch="$architecture" ${profile_list:+--build-profiles="$profile_list"} \
  --no-sign >&2 || fail "the package could not be built (see above)"
mv ../gravity-sync_* "$output/"
lintian --fail-on error --allow-root --tag-display-limit 0 "$output"/*.changes
