#!/bin/sh
# Builds an optimised gravity-sync and measures it beside rsync, sqlite3 + scp and ssh on this machine. Needs python3, rsync, sqlite3 and sshd.
#   tests/bench/run.sh [--domains 30000,575000,5000000] [--domains-file FILE] [--links all] [--runs 7] [--json FILE]      (--help: all options)
#   tests/bench/run.sh --hub 5,10,25,50 --domains 30000         tests/bench/run.sh --instructions   (needs valgrind)
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$top/build-bench}
for tool in cmake python3 rsync sqlite3 scp ssh /usr/sbin/sshd; do
  command -v "$tool" >/dev/null || { echo "tests/bench/run.sh: $tool is missing. Run tests/run.sh once for what the build needs, then: sudo apt-get install python3 rsync sqlite3 openssh-server" >&2; exit 1; }
done
cmake -S "$top" -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$build" --target gravity-sync make-pihole ftl-stand-in bench-measure bench-wire -j "$(nproc)" >/dev/null
exec python3 "$top/tests/bench/bench.py" --build "$build" "$@"
