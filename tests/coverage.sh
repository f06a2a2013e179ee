#!/usr/bin/env bash
# Runs the tests and reports which lines and branches of the program they reach: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/coverage.sh [--filter REGEX] [--report]

Builds with gcc's coverage, runs the tests (or those whose names match REGEX), and prints for each module how many of its lines and
branches they reached; then the error paths that none reached. The figures add up over runs in one build directory; --report runs
nothing and prints those that are there.

BUILD_DIR names the build directory (build-coverage).
END
}

filter='' run=yes
while [ $# -gt 0 ]; do
  case $1 in
    --filter) [ $# -ge 2 ] || { usage >&2; exit 2; }; filter=$2; shift ;;
    --report) run=no ;;
    --help | -h) usage; exit 0 ;;
    *) say "tests/coverage.sh: what is '$1'?"; usage >&2; exit 2 ;;
  esac
  shift
done
build_directory=${BUILD_DIR:-$source_directory/build-coverage}

if [ "$run" = yes ]; then
  # shellcheck disable=SC2034  # for install_missing
  more_packages='python3:python3'
  install_missing
  configure_and_build "$source_directory" "$build_directory" '' -DGSYNC_COVERAGE=ON -DGSYNC_TESTS=ON
  # What a child of another user counts must find its place: every file of counters is there before it, and everybody's.
  find "$build_directory/src" -name '*.gcno' | while read -r notes; do
    counters=${notes%.gcno}.gcda
    [ -e "$counters" ] || : >"$counters"
    chmod a+rw "$counters"
  done
  (cd "$build_directory" && ctest -j "$(nproc)" --output-on-failure --no-tests=error ${filter:+-R "$filter"} </dev/null) ||
    say "Some tests failed; the figures are those of what ran."
fi
exec python3 "$source_directory/tests/coverage.py" "$source_directory" "$build_directory"
