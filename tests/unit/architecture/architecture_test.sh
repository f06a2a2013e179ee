#!/bin/sh
# Checks that the source tree is what src/README.md draws: usage: architecture_test.sh SOURCE_DIRECTORY
# First it breaks each rule in a small tree of its own and sees that it notices.
set -u

# Above what stands where; a module may use only what is above it, and of that only what src/CMakeLists.txt links.
modules='util model sqlite config replica pihole ssh protocol sync daemon setup cli'
# Where a library's headers may be included: "header pattern|files".
libraries='
sqlite3\.h|^src/sqlite/
libssh/|^src/ssh/
toml\+\+/|^src/config/|^src/pihole/pihole_toml\.cpp:
CLI/|^src/cli/
spdlog/|^src/cli/
nlohmann/|^src/cli/|^src/pihole/ftl_config\.cpp:|^src/pihole/container_inspection\.cpp:|^src/daemon/status_json\.cpp:
zstd\.h|^src/protocol/|^src/replica/
xxhash\.h|^src/model/
'
# A translation unit with two of these takes more memory to compile than a small Pi has.
heavy='toml\+\+/|CLI/|spdlog/|nlohmann/'
longest=650

# Prints "file:header" for each #include of the C++ files below the given folders, without the quotes.
includes() {
  find "$@" \( -name '*.cpp' -o -name '*.hpp' \) -exec grep -HE '^[[:space:]]*#[[:space:]]*include' {} + |
    sed -nE 's/^([^:]*):[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*)[>"].*/\1:\2/p'
}

# Prints a line for everything that is wrong in the tree in the current directory.
check_tree() {
  # "module link link…" with what a module may include: itself, what it links, and what those pass on by PUBLIC.
  awk -v order="$modules" '
    BEGIN { n = split(order, names, " "); for (i = 1; i <= n; i++) place[names[i]] = i }
    /^gsync_module\(/ {
      sub(/^gsync_module\(/, ""); gsub(/\)/, "")
      name = $1; kind = ""
      if (!(name in place)) print "wrong src/CMakeLists.txt: module " name " has no place in the order"
      public[name] = ""; all[name] = ""
      for (i = 2; i <= NF; i++) {
        if ($i == "PUBLIC" || $i == "PRIVATE") { kind = $i; continue }
        if ($i !~ /^gsync_/) continue
        link = substr($i, 7)
        if (!(link in place) || place[link] >= place[name]) print "wrong src/CMakeLists.txt: " name " links " link ", which is not above it"
        if (kind == "PUBLIC") public[name] = public[name] " " link
        all[name] = all[name] " " link
      }
    }
    END {
      for (i = 1; i <= n; i++) {
        name = names[i]
        reach = name " " all[name]
        # What is linked stands above, so its own reach is known already.
        m = split(all[name], links, " ")
        for (j = 1; j <= m; j++) reach = reach " " passed[links[j]]
        m = split(public[name], links, " ")
        passed[name] = name
        for (j = 1; j <= m; j++) passed[name] = passed[name] " " passed[links[j]]
        print "module " name " " reach
        print "interface " name " " passed[name]
      }
    }' src/CMakeLists.txt >"$scratch/links"
  sed -n 's/^wrong //p' "$scratch/links"

  includes src include >"$scratch/includes"
  awk -v order="$modules" '
    FNR == NR {
      for (i = 3; i <= NF; i++) allowed[$1, $2, $i] = 1
      next
    }
    {
      file = substr($0, 1, index($0, ":") - 1); header = substr($0, index($0, ":") + 1)
      split(file, path, "/")
      from = path[1] == "src" ? path[2] : path[3]
      kind = path[1] == "src" ? "module" : "interface"
      if (header ~ /\.\./) print file ": includes " header ": a path upwards"
      if (header !~ /^gsync\//) next
      split(header, parts, "/")
      if (!((kind, from, parts[2]) in allowed))
        print file ": includes " header ", and " from " does not " (kind == "module" ? "link" : "pass on") " " parts[2] " (src/CMakeLists.txt)"
    }' "$scratch/links" "$scratch/includes"

  echo "$libraries" | while IFS='|' read -r header places; do
    [ -n "$header" ] || continue
    grep -E ":$header" "$scratch/includes" | grep -vE "$places" | sed -E 's/^([^:]*):(.*)/\1: includes \2, which belongs elsewhere/'
  done
  # A header of a heavy library in a header of ours spreads.
  grep -E "^[^:]*\.hpp:($heavy)" "$scratch/includes" | sed -E 's/^([^:]*):(.*)/\1: includes \2: only a .cpp may/'
  grep -E ":($heavy)" "$scratch/includes" | sed -E 's/:([^/]*).*/ \1/' | sort -u | cut -d' ' -f1 | uniq -d |
    sed 's/$/: includes two heavy libraries, which takes much memory to compile/'

  find src include tests \( -name '*.cpp' -o -name '*.hpp' \) -exec wc -l {} + |
    awk -v longest="$longest" '$2 != "total" && $1 > longest { print $2 ": has " $1 " lines; a file over " longest " usually has two names" }'
}

# expect PATTERN FILE LINE…: with these lines in that file of a tree that is right otherwise, something is wrong that matches.
expect() {
  pattern=$1 file=$2
  shift 2
  rm -rf "$scratch/tree"
  mkdir -p "$scratch/tree/include" "$scratch/tree/tests" "$(dirname "$scratch/tree/$file")"
  for module in $modules; do mkdir -p "$scratch/tree/src/$module" "$scratch/tree/include/gsync/$module"; done
  cp "$source/src/CMakeLists.txt" "$scratch/tree/src/"
  if [ "$#" -gt 0 ]; then printf '%s\n' "$@" >>"$scratch/tree/$file"; fi
  found=$(cd "$scratch/tree" && check_tree)
  if [ -z "$pattern" ] && [ -n "$found" ]; then
    echo "the check itself is wrong: of $file with '$*' it says: $found"
    failed=1
  elif [ -n "$pattern" ] && ! printf '%s\n' "$found" | grep -qE "$pattern"; then
    echo "the check itself is wrong: it does not notice '$*' in $file (it says: '$found')"
    failed=1
  fi
}

source=$(cd "$1" && pwd) || exit 1
scratch=$(mktemp -d) || exit 1
trap 'rm -rf "$scratch"' EXIT
failed=0

expect '' src/cli/a.cpp '#include "gsync/model/lists.hpp"' '#include <sqlite3ext.h>'
expect 'a.cpp: includes gsync/pihole' src/model/a.cpp '#include "gsync/pihole/ftl.hpp"'
expect 'does not link ssh' src/protocol/a.cpp '  #  include "gsync/ssh/session.hpp"'
expect 'does not pass on sqlite' include/gsync/sync/a.hpp '#include <gsync/sqlite/database.hpp>'
expect 'a path upwards' src/sync/a.cpp '#include "../model/x.hpp"'
expect 'sqlite3.h, which belongs elsewhere' src/pihole/a.cpp '#include <sqlite3.h>'
expect 'libssh/libssh.h, which belongs elsewhere' src/cli/a.cpp '#include <libssh/libssh.h>'
expect 'toml.h, which belongs elsewhere' src/pihole/a.cpp '#include <toml++/toml.h>'
expect 'CLI.hpp, which belongs elsewhere' include/gsync/config/a.hpp '#include <CLI/CLI.hpp>'
expect 'only a .cpp may' src/cli/a.hpp '#include <nlohmann/json.hpp>'
expect 'two heavy libraries' src/cli/a.cpp '#include <nlohmann/json.hpp>' '#include <spdlog/spdlog.h>'
expect 'util links model, which is not above it' src/CMakeLists.txt 'gsync_module(util PUBLIC gsync_model)'
expect 'gossip has no place' src/CMakeLists.txt 'gsync_module(gossip PUBLIC gsync_model)'
expect 'has 651 lines' tests/a.cpp "$(seq 651)"

found=$(cd "$source" && check_tree)
if [ -n "$found" ]; then
  printf '%s\n' "$found"
  failed=1
fi
[ "$failed" = 0 ] && echo "every include follows the order of the modules"
exit "$failed"
