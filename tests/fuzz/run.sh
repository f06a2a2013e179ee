#!/usr/bin/env bash
# Looks for inputs that break something: see --help.
set -euo pipefail
source_directory=$(cd "$(dirname "$0")/../.." && pwd)
# shellcheck source=../../packaging/prepare.sh
. "$source_directory/packaging/prepare.sh"

usage() {
  cat <<'END'
usage: tests/fuzz/run.sh [--seconds N] [TARGET...]

Builds the targets of tests/fuzz with clang's libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and runs each for N seconds
(600), beginning with what is kept in tests/fuzz/corpus and its own seeds. What it finds is left in BUILD_DIR/found, and what reached
new code in BUILD_DIR/corpus. An input that broke something is kept in tests/fuzz/corpus/TARGET once that is mended.

BUILD_DIR is build-fuzz in the checkout by default.
END
}

seconds=600
targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --seconds) [ $# -ge 2 ] || { usage >&2; exit 2; }; seconds=$2; shift ;;
    --help | -h) usage; exit 0 ;;
    -*) say "tests/fuzz/run.sh: what is '$1'?"; usage >&2; exit 2 ;;
    *) targets+=("$1") ;;
  esac
  shift
done
if [ ${#targets[@]} = 0 ]; then
  for file in "$source_directory"/tests/fuzz/*.cpp; do
    name=$(basename "$file" .cpp)
    case $name in *_main | wire) ;; *) targets+=("$name") ;; esac
  done
fi

# shellcheck disable=SC2034  # for install_missing
compiler_package='clang++:clang'
install_missing
build_directory=${BUILD_DIR:-$source_directory/build-fuzz}
configure_and_build "$source_directory" "$build_directory" "${targets[*]/#/fuzz_}" \
  -DCMAKE_CXX_COMPILER=clang++ -DCMAKE_BUILD_TYPE=RelWithDebInfo -DGSYNC_SANITIZE=fuzzer-no-link,address,undefined

status=0
for target in "${targets[@]}"; do
  corpus=$build_directory/corpus/$target found=$build_directory/found/$target kept=$source_directory/tests/fuzz/corpus/$target
  mkdir -p "$corpus" "$found"
  [ -d "$kept" ] || kept=
  say "$target: $seconds s"
  GSYNC_FUZZ_SEEDS=$corpus "$build_directory/tests/fuzz_$target"
  log=$build_directory/found/$target.log
  "$build_directory/tests/fuzz_$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=3000 -max_len=65536 \
    -dict="$corpus.dict" -artifact_prefix="$found/" -print_final_stats=1 "$corpus" ${kept:+"$kept"} </dev/null >"$log" 2>&1 ||
    { status=1; say "  it broke: see $log, and the input in $found"; tail -n 30 "$log" >&2; }
  grep -E '^stat::(number_of_executed_units|peak_rss_mb)' "$log" | sed 's/^/  /' || true
done
exit $status
