#!/bin/sh
# Builds an optimised gravity-sync and measures it beside rsync and ssh on this machine, over loopback. Needs python3, rsync and sshd.
#   tests/bench/run.sh [--domains 575000] [--runs 7] [--json FILE]
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
build=${BUILD_DIR:-$top/build-bench}
for tool in cmake python3 rsync ssh /usr/sbin/sshd; do
  command -v "$tool" >/dev/null || { echo "tests/bench/run.sh: $tool is missing. Run tests/run.sh once for what the build needs, then: sudo apt-get install python3 rsync openssh-server" >&2; exit 1; }
done
cmake -S "$top" -B "$build" -DCMAKE_BUILD_TYPE=Release >/dev/null
cmake --build "$build" --target gravity-sync make-pihole ftl-stand-in -j "$(nproc)" >/dev/null
exec python3 "$top/tests/bench/bench.py" --build "$build" "$@"
