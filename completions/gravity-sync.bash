# bash completion for gravity-sync. What can be typed is read from the program's own help, so there is no command or option to be kept here.

_gravity_sync() {
  local program=${COMP_WORDS[0]} word=${COMP_WORDS[COMP_CWORD]} help command='' offered i
  if [ "${COMP_WORDS[COMP_CWORD - 1]}" = --config ]; then
    mapfile -t COMPREPLY < <(compgen -f -- "$word")
    return
  fi
  help=$("$program" --help 2>/dev/null)
  local globals=$help
  for ((i = 1; i < COMP_CWORD; i++)); do
    if grep -qE "^  ${COMP_WORDS[i]//[^a-z-]/_} " <<<"$(sed -n '/^Commands:/,/^$/p' <<<"$help")"; then
      command+=" ${COMP_WORDS[i]}"
      # shellcheck disable=SC2086  # one word for each
      help=$("$program" $command --help 2>/dev/null)
    fi
  done
  if [[ $word == -* ]]; then
    offered=$(sed -n '/^Options:/,/^$/s/^  \(-[^ ]*\).*/\1/p' <<<"$help"$'\n\n'"$globals" | tr , '\n')
  else
    offered=$(sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\).*/\1/p' <<<"$help")
    if grep -qE '^  PEER ' <<<"$help"; then
      offered+=" $(awk -F'"' '/^\[/ { peer = /^\[\[peer\]\]/ } peer && /^name *=/ { print $2 }' /etc/gravity-sync/gravity-sync.toml 2>/dev/null)"
    fi
  fi
  mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
}
complete -F _gravity_sync gravity-sync
