#!/usr/bin/env bash
# Runs clang-tidy with the project's list over the program's sources: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/tidy.sh [REGEX]

Checks every source of the program, or those whose paths match REGEX, with .clang-tidy; a finding is an error. Installs clang-tidy
when it is missing. BUILD_DIR names the build directory (build-tidy): only CMake's list of commands is made there, nothing is compiled.
END
}

case ${1:-} in --help | -h) usage; exit 0 ;; esac
build_directory=${BUILD_DIR:-$source_directory/build-tidy}
compiler_package='run-clang-tidy:clang-tidy'
install_missing
cmake --log-level=WARNING -S "$source_directory" -B "$build_directory" -G Ninja -DGSYNC_TESTS=OFF </dev/null >&2 || fail "cmake failed (see above)"
exec run-clang-tidy -quiet -j "$(build_jobs)" -p "$build_directory" "${1:-/src/}" </dev/null
