#!/usr/bin/env bash
# Checks that the manual pages and the completions know each command, option and key that there is, and no other.
# usage: manual_test.sh SOURCE_DIRECTORY GRAVITY_SYNC
set -u
source=$1 program=$2
failed=0
wrong() { echo "$*"; failed=1; }

commands_of() { sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p'; }
# "--exit-code", "-q": what stands in front of the description. Help has -h everywhere; it is described once.
options_of() { sed -n '/^Options:/,/^$/s/^  \(-[^ ]*\).*/\1/p' | tr , '\n' | grep -vxE -e '-h|--help'; }
# The flags in the lines of mdoc on standard input, written as people type them.
flags_of() { sed -n 's/^\.It Fl //p' | tr , '\n' | sed -E 's/^ *(Fl )?([^ ]+).*/-\2/' | sort -u; }
# check_same WHERE EXPECTED FOUND: two lists of words.
check_same() {
  local only
  only=$(comm -23 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr '\n' ' ')
  [ -z "${only// /}" ] || wrong "$1: these are missing: $only"
  only=$(comm -13 <(sort -u <<<"$2") <(sort -u <<<"$3") | tr '\n' ' ')
  [ -z "${only// /}" ] || wrong "$1: there is no such thing: $only"
}

help=$("$program" --help) || wrong "there is no help"
commands=$(commands_of <<<"$help")
[ "$(wc -w <<<"$commands")" -ge 17 ] || wrong "the help lists only these commands: $commands"

# check_command NAME...: the block of gravity-sync(1) that describes it, and what is below it.
check_command() {
  local own_help block below
  own_help=$("$program" "$@" --help)
  below=$(commands_of <<<"$own_help")
  block=$(awk -v name="$*" '/^\.It Cm /{ rest = substr($0, 8); here = rest == name || index(rest, name " ") == 1 && rest !~ "^" name " [a-z]" } here' \
    "$source/man/gravity-sync.1" | sed '/^\.Sh /q')
  [ -n "$block" ] || { wrong "gravity-sync(1) does not have the command $*"; return; }
  check_same "gravity-sync(1), command $*" "$(options_of <<<"$own_help")" "$(flags_of <<<"$block")"
  check_same "completion for bash, options of $*" "$(offered "$@" -)" "$(options_of <<<"$own_help"$'\n\n'"$help"; printf '%s\n' -h --help)"
  local word
  for word in $below; do check_command "$@" "$word"; done
}

# offered WORD...: what completion for bash offers in place of the last word.
offered() {
  # shellcheck disable=SC2034  # what bash itself sets
  COMP_WORDS=("$program" "$@") COMP_CWORD=$#
  COMPREPLY=()
  _gravity_sync
  printf '%s\n' "${COMPREPLY[@]}"
}
. "$source/completions/gravity-sync.bash"

check_same 'gravity-sync(1), options of all commands' "$(options_of <<<"$help")" \
  "$(sed '/^\.Sh COMMANDS/q' "$source/man/gravity-sync.1" | flags_of | grep -vxE -e '-h|--help')"
check_same 'gravity-sync(1), commands' "$commands" "$(sed -nE 's/^\.It Cm ([a-z-]+).*/\1/p' "$source/man/gravity-sync.1")"
check_same 'completion for bash, commands' "$commands" "$(offered '')"
for command in $commands; do check_command "$command"; done
# The program is asked by its name there.
named=$(mktemp -d) || exit 1
trap 'rm -rf "$named"' EXIT
ln -s "$(readlink -f "$program")" "$named/gravity-sync"
if command -v fish >/dev/null; then
  in_fish() { HOME=$named PATH=$named:$PATH fish --no-config -c "source '$source/completions/gravity-sync.fish'; complete -C 'gravity-sync $1'" | cut -f1; }
  check_same 'completion for fish, commands' "$commands" "$(in_fish '')"
  check_same 'completion for fish, options of pull' "$(offered pull --)" "$(in_fish 'pull --')"
fi
if command -v zsh >/dev/null; then
  in_zsh() {
    PATH=$named:$PATH zsh -f -c 'autoload -U is-at-least; compadd() { shift; print -rl -- "$@" }; _describe() { print -rl -- ${(P)2%%:*} }
      complete() { . "$1" }; words=(gravity-sync "${@[2,-1]}"); CURRENT=$#words; complete "$1"' zsh "$source/completions/gravity-sync.zsh" "$@"
  }
  check_same 'completion for zsh, commands' "$commands" "$(in_zsh '' | cut -d: -f1)"
  check_same 'completion for zsh, options of pull' "$(offered pull -)" "$(in_zsh pull -)"
fi

# "section key": of the example, which a test of the configuration holds against the program's own keys, and of the manual page.
keys_of_example() {
  sed -nE -e 's/^#?(\[\[?[a-z]+\]\]?)$/\1/p' -e 's/^#?([a-z_]+) = .*/\1/p' "$source/config/gravity-sync.toml" | awk '/^\[/ { section = $0; next } { print section, $0 }'
}
keys_of_manual() {
  sed -nE -e 's/^\.Ss (\[\[?[a-z]+\]\]?)$/\1/p' -e 's/^\.It Ic ([a-z_]+)$/\1/p' "$source/man/gravity-sync.toml.5" | awk '/^\[/ { section = $0; next } { print section, $0 }'
}
[ "$(keys_of_example | wc -l)" -ge 40 ] || wrong "config/gravity-sync.toml has too few keys"
check_same 'gravity-sync.toml(5)' "$(keys_of_example)" "$(keys_of_manual)"

for page in "$source"/man/*; do
  if command -v groff >/dev/null; then
    complaints=$(groff -mdoc -Tutf8 -ww "$page" 2>&1 >/dev/null)
    [ -z "$complaints" ] || wrong "$complaints"
  fi
  if command -v mandoc >/dev/null; then
    complaints=$(mandoc -Tlint -Wwarning "$page" 2>&1)
    [ -z "$complaints" ] || wrong "$complaints"
  fi
done
exit $failed
