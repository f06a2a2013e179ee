# fish completion for gravity-sync. What can be typed is read from the program's own help, so there is no command or option to be kept here.

function __gravity_sync_offer
    set -l words (commandline -opc)
    set -l command
    set -l globals (gravity-sync --help 2>/dev/null)
    set -l help $globals
    for word in $words[2..]
        if printf '%s\n' $help | sed -n '/^Commands:/,/^$/p' | grep -qE "^  "(string replace -ra '[^a-z-]' _ -- $word)" "
            set -a command $word
            set help (gravity-sync $command --help 2>/dev/null)
        end
    end
    if string match -q -- '-*' (commandline -ct)
        printf '%s\n' $help '' $globals | sed -n '/^Options:/,/^$/s/^  \(-[^ ]*\).*/\1/p' | tr , '\n'
        return
    end
    printf '%s\n' $help | sed -n '/^Commands:/,/^$/s/^  \([a-z][a-z-]*\) *\(.*\)/\1\t\2/p'
    if printf '%s\n' $help | grep -q '^  PEER '
        awk -F'"' '/^\[/ { peer = /^\[\[peer\]\]/ } peer && /^name *=/ { print $2 }' /etc/gravity-sync/gravity-sync.toml 2>/dev/null
    end
end
complete -c gravity-sync -f -a '(__gravity_sync_offer)'
complete -c gravity-sync -l config -r -F
