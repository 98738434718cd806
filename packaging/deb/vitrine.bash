# SPDX-License-Identifier: Apache-2.0
# Completion for bash: the commands of vitrine, then the options that a command's own help names, else files.
_vitrine() {
    local word=${COMP_WORDS[COMP_CWORD]} verb=${COMP_WORDS[1]} words
    COMPREPLY=()
    if [ "$COMP_CWORD" -eq 1 ]; then
        words=$(vitrine --help 2>/dev/null | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word" && compgen -f -- "$word")
    elif [[ $word == -* ]]; then
        words=$(vitrine "$verb" --help 2>/dev/null | sed -n 's/^ *\(-[a-zA-Z], *\)\{0,1\}\(--[a-z0-9-]*\).*/\2/p')
        mapfile -t COMPREPLY < <(compgen -W "$words" -- "$word")
    fi
}
complete -o default -F _vitrine vitrine
