#!/bin/sh
# Checks that every row of the table "Stopped here, true afterwards" in src/README.md names tests that there are.
# usage: crash_table_test.sh SOURCE_DIRECTORY TEST_PROGRAM...
set -u
readme=$1/src/README.md
shift
# "Suite.Name" and "Suite/Name" of all tests, one a line, without what a parameter looks like.
names=$(for program in "$@"; do
  "$program" --gtest_list_tests | awk '/^[^ ]/ { suite = $1 } /^ / { sub(/#.*/, ""); gsub(/ /, ""); print suite $0 }'
done)

rows=0 bad=0
table=$(sed -n '/^### Stopped here/,/^## /p' "$readme" | grep '^| ' | sed '1,2d')
while IFS= read -r row; do
  rows=$((rows + 1))
  shown_by=$(printf '%s' "$row" | awk -F'|' '{ print $6 }' | grep -o '`[^`]*`' | tr -d '`')
  [ -n "$shown_by" ] || { echo "a row names no test: $row"; bad=1; }
  for name in $shown_by; do
    printf '%s\n' "$names" | grep -qE "(^|[./])$(printf '%s' "$name" | sed 's/[.]/\\./g')\$" || { echo "there is no test $name"; bad=1; }
  done
done <<END
$table
END
[ "$rows" -ge 10 ] || { echo "only $rows rows were found in $readme"; bad=1; }
exit $bad
