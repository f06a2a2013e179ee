#!/usr/bin/env bash
# Installs what is missing, builds everything and runs all tests: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/run.sh [options]

Installs the Debian packages that are missing (with sudo when you are not root), builds gravity-sync and its tests, and runs all tests.
Nothing is installed when everything is there. No Pi-hole is needed.

  --filter REGEX   run only the tests whose names match, such as '^unit_' or '^e2e\.'
  --sanitize       a build of its own with AddressSanitizer and UndefinedBehaviorSanitizer
  --threads        a build of its own with ThreadSanitizer
  --clang          a build of its own with clang instead of gcc
  --werror         a warning is an error
  --no-install     install nothing
  --help           this text

BUILD_DIR names the build directory; otherwise it is build in the checkout, with -sanitize, -threads or -clang behind it.
BUILD_TYPE is CMake's build type (RelWithDebInfo; Debug with a sanitizer).
END
}

install=yes filter='' suffix='' build_type=${BUILD_TYPE:-RelWithDebInfo}
options=()
while [ $# -gt 0 ]; do
  case $1 in
    --filter) [ $# -ge 2 ] || { usage >&2; exit 2; }; filter=$2; shift ;;
    --filter=*) filter=${1#*=} ;;
    --sanitize) sanitize=address,undefined suffix+=-sanitize ;;
    --threads) sanitize=thread suffix+=-threads ;;
    --clang) clang=yes ;;
    --werror) options+=(-DGSYNC_WERROR=ON) ;;
    --no-install) install=no ;;
    --help | -h) usage; exit 0 ;;
    *) say "tests/run.sh: what is '$1'?"; usage >&2; exit 2 ;;
  esac
  shift
done
if [ "${clang:-}" = yes ]; then
  # shellcheck disable=SC2034  # for install_missing
  compiler_package='clang++:clang'
  options+=(-DCMAKE_CXX_COMPILER=clang++)
  suffix+=-clang
fi
if [ -n "${sanitize:-}" ]; then
  build_type=${BUILD_TYPE:-Debug}
  options+=("-DGSYNC_SANITIZE=$sanitize")
fi
build_directory=${BUILD_DIR:-$source_directory/build$suffix}

# shellcheck disable=SC2034  # for install_missing
more_packages=strace:strace
[ "$install" = no ] || install_missing
configure_and_build "$source_directory" "$build_directory" '' "-DCMAKE_BUILD_TYPE=$build_type" -DGSYNC_TESTS=ON ${options[@]+"${options[@]}"}

jobs=$(nproc)
[ "$jobs" -ge 2 ] || jobs=2
cd "$build_directory"
exec ctest -j "$jobs" --output-on-failure --no-tests=error ${filter:+-R "$filter"} </dev/null
