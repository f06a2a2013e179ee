#!/usr/bin/env bash
# Runs cppcheck and clang-tidy with the project's lists over the program's sources: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/lint.sh [--cppcheck | --tidy] [REGEX]

Checks the program's sources with cppcheck (a minute) and clang-tidy (half an hour; only those whose paths match REGEX, if there is one).
A finding is an error. .clang-tidy lists what is looked for, .cppcheck-suppressions what cppcheck may say. Installs both when they are
missing. BUILD_DIR names the build directory (build-lint): only CMake's list of commands is made there, nothing is compiled.
END
}

only=''
while [ $# -gt 0 ]; do
  case $1 in
    --cppcheck | --tidy) only=$1 ;;
    --help | -h) usage; exit 0 ;;
    -*) say "tests/lint.sh: what is '$1'?"; usage >&2; exit 2 ;;
    *) break ;;
  esac
  shift
done
build_directory=${BUILD_DIR:-$source_directory/build-lint}
# clang's own command lines: clang-tidy does not take all of gcc's options.
# shellcheck disable=SC2034  # for install_missing
compiler_package='clang++:clang' more_packages='run-clang-tidy:clang-tidy cppcheck:cppcheck'
install_missing
cmake --log-level=WARNING -S "$source_directory" -B "$build_directory" -G Ninja -DCMAKE_CXX_COMPILER=clang++ -DGSYNC_TESTS=OFF </dev/null >&2 ||
  fail "cmake failed (see above)"

status=0
if [ "$only" != --tidy ]; then
  # From the checkout, because the suppressions name files as they are called there.
  (cd "$source_directory" && cppcheck --quiet --enable=warning,style,performance,portability --inconclusive --error-exitcode=1 \
    --std=c++20 --language=c++ --library=posix -D_GNU_SOURCE -I include -I "$build_directory/src/setup" \
    --suppressions-list=.cppcheck-suppressions -j "$(build_jobs)" src) || status=1
fi
if [ "$only" != --cppcheck ]; then
  run-clang-tidy -quiet -j "$(build_jobs)" -p "$build_directory" "${1:-/src/}" </dev/null || status=1
fi
exit $status
