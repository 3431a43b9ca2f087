"""The script for bash 3.2 and later; needs no bash-completion package."""

from __future__ import annotations

from collections.abc import Iterable

from orchctl.cli.completion.words import Command, Flag, Group, Value

_HEAD = r"""# Completion of orchctl for bash 3.2 and later. Made from the verbs by orchctl.cli.completion; not edited by hand.
# No word that comes from elsewhere is ever evaluated, and only plain names are offered.

# Sets words, glued together where bash splits them (at = and :), and cur, the word in work.
__orchctl_words() {
    local i word before rest=$COMP_LINE
    words=()
    for ((i = 0; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ -n $word ]]; then
            before=${rest%%"$word"*}
            rest=${rest#"$before"}
            rest=${rest#"$word"}
        else
            before=${rest%%[![:blank:]]*}
        fi
        if ((i > 0)) && [[ -z $before ]]; then
            words[${#words[@]}-1]+=$word
        else
            words[${#words[@]}]=$word
        fi
    done
    i=$((${#words[@]} - 1))
    cur=${words[i]}
    unset "words[i]"
}

# Offers what begins as $cur, from the words given; $1 stands before each on the line already.
__orchctl_offer() {
    local word before=$1
    shift
    for word; do
        [[ $word != "$cur"* ]] || COMPREPLY[${#COMPREPLY[@]}]=$before$word
    done
}

# Names that only the program knows; it reads them from a file.
__orchctl_names() {
    local names
    names=$(command orchctl __complete "$2" "${words[@]:1}" 2>/dev/null </dev/null)
    # Split without quotes below. The program says plain names only; anything else is not its answer.
    [[ $names != *[!A-Za-z0-9._=$'\n'-]* ]] || return
    __orchctl_offer "$1" $names
}

# Files, the ones with these suffixes and directories only; all without suffixes.
__orchctl_files() {
    local name suffix
    compopt -o filenames 2>/dev/null
    if [[ $cur == *[\\\'\"\`\$~]* ]]; then
        compopt -o default 2>/dev/null
        return
    fi
    while IFS= read -r name; do
        COMPREPLY[${#COMPREPLY[@]}]=$name
    done < <(
        if (($# == 0)); then
            compgen -f -- "$cur"
        else
            compgen -d -- "$cur"
            for suffix; do compgen -f -X "!*$suffix" -- "$cur"; done
        fi
    )
}

# A value of the kind $2: @ and what to ask for, or words separated by commas.
__orchctl_value() {
    case $2 in
        '') ;;
        @files) __orchctl_files ;;
        @specs) __orchctl_files .yaml .yml .json ;;
        @targets)
            compopt -o nospace 2>/dev/null
            __orchctl_names "$1" targets
            ;;
        @*) __orchctl_names "$1" "${2#@}" ;;
        *)
            local IFS=,
            __orchctl_offer "$1" $2
            ;;
    esac
}

# Sets kind to what the option $1 takes; fails for one that takes nothing.
__orchctl_takes() {
    local pair
    for pair in $valued; do
        if [[ ${pair%%:*} == "$1" ]]; then
            kind=${pair#*:}
            return 0
        fi
    done
    return 1
}

"""

_TAIL = r"""
_orchctl() {
    local IFS=$' \t\n' cur='' flags='' valued='' argument='' commands='' many='' kind='' waiting='' count=0 depth=2 i
    local -a words
    COMPREPLY=()
    __orchctl_words
    if ((${#words[@]} == 1)); then
        __orchctl_offer '' $__orchctl_verbs help
        [[ $cur != -* ]] || __orchctl_offer '' --help -h --version -V
        return
    fi
    __orchctl_command "${words[1]}"
    if [[ -n $commands ]]; then
        if ((${#words[@]} == 2)); then
            __orchctl_offer '' $commands
            [[ $cur != -* ]] || __orchctl_offer '' --help -h
            return
        fi
        __orchctl_command "${words[1]} ${words[2]}"
        depth=3
    fi
    for ((i = depth; i < ${#words[@]}; i++)); do
        if [[ -n $waiting ]]; then
            waiting=''
        elif [[ ${words[i]} == -* ]]; then
            if __orchctl_takes "${words[i]}"; then waiting=1; fi
        else
            count=$((count + 1))
        fi
    done
    if [[ -n $waiting ]]; then
        __orchctl_value '' "$kind"
    elif [[ $cur == --*=* ]]; then
        local before=${cur%%=*}=
        if __orchctl_takes "${before%=}"; then
            cur=${cur#*=}
            [[ $COMP_WORDBREAKS == *=* ]] && before=''
            __orchctl_value "$before" "$kind"
        fi
    elif [[ $cur == -* ]]; then
        __orchctl_offer '' $flags
    elif [[ -n $many ]] || ((count == 0)); then
        __orchctl_value '' "$argument"
    fi
}

complete -F _orchctl orchctl
"""


def script(verbs: Iterable[Command | Group]) -> str:
    found = list(verbs)
    names = [v.name if isinstance(v, Group) else v.path[0] for v in found if isinstance(v, Group) or len(v.path) == 1]
    cases = "".join(_group(v) if isinstance(v, Group) else _case(v) for v in found)
    topics = f"        help) argument={','.join([*names, 'exit-codes'])} ;;\n"
    table = (
        "# What a verb takes: its options, those with a value and of what kind, and its arguments.\n"
        f"__orchctl_command() {{\n    commands=''\n    case $1 in\n{cases}{topics}    esac\n}}\n"
    )
    return f"{_HEAD}__orchctl_verbs='{' '.join(names)}'\n\n{table}{_TAIL}"


def _group(group: Group) -> str:
    return f"        {group.name}) commands='{' '.join(name for name, _ in group.commands)}' ;;\n"


def _case(command: Command) -> str:
    flags = " ".join(name for flag in command.flags for name in flag.names)
    valued = " ".join(pair for flag in command.flags for pair in _pairs(flag))
    return (
        f"        '{' '.join(command.path)}')\n"
        f"            flags='{flags}'\n"
        f"            valued='{valued}'\n"
        f"            argument='{_kind(command.argument)}' many={'1' if command.many else ''}\n"
        "            ;;\n"
    )


def _pairs(flag: Flag) -> list[str]:
    return [] if flag.value is None else [f"{name}:{_kind(flag.value)}" for name in flag.names]


def _kind(value: Value) -> str:
    if value.kind == "words":
        return ",".join(value.words)
    return f"@{value.kind}" if value.kind else ""
