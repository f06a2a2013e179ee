#compdef gravity-sync
# zsh completion for gravity-sync. What can be typed is read from the program's own help, so there is no command or option to be kept here.

local program=$words[1] word command=() help globals
help=$("$program" --help 2>/dev/null)
globals=$help
if [[ $words[CURRENT-1] == --config ]]; then
  _files
  return
fi
for word in ${words[2,CURRENT-1]}; do
  if print -r -- "$help" | sed -n '/^Commands:/,/^$/p' | grep -qE "^  ${word//[^a-z-]/_} "; then
    command+=($word)
    help=$("$program" $command --help 2>/dev/null)
  fi
done

if [[ $words[CURRENT] == -* ]]; then
  compadd -- ${(f)"$(print -rl -- "$help" '' "$globals" | sed -n '/^Options:/,/^$/s/^  \(-[^ ]*\).*/\1/p' | tr , '\n')"}
  return
fi
# Lines of "word:what it is", as _describe wants them.
local -a offered
offered=(${(f)"$(print -r -- "$help" | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) *\(.*\)/\1:\2/p')"})
if print -r -- "$help" | grep -q '^  PEER '; then
  offered+=(${(f)"$(awk -F'"' '/^\[/ { peer = /^\[\[peer\]\]/ } peer && /^name *=/ { print $2 }' /etc/gravity-sync/gravity-sync.toml 2>/dev/null)"})
fi
(( $#offered )) && _describe command offered
