# shellcheck shell=bash
# check NAME COMMAND…: one line for what holds, and what the command said for what does not.
failures=0
check() {
  local name=$1 output
  shift
  if output=$("$@" 2>&1); then
    printf 'ok      %s\n' "$name"
  else
    printf 'FAILED  %s\n%s\n' "$name" "$output"
    failures=$((failures + 1))
  fi
}
