"""The script for zsh: a function for ``fpath``, or a file to source."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchctl.cli.completion.words import ASKED, Command, Flag, Group, Value

_HEAD = r"""#compdef orchctl
# Completion of orchctl for zsh. Made from the verbs by orchctl.cli.completion; not edited by hand.
# No word that comes from elsewhere is ever evaluated; and only plain names are offered.

# Names that only the program knows; it reads them from a file. $words is the line from the verb on.
__orchctl_names() {
  [[ $PREFIX != -* ]] || return 1
  setopt localoptions extendedglob
  local kind=$1
  shift
  local -a names
  names=("${(@f)$(command orchctl __complete $kind "${(@Q)words[1,CURRENT-1]}" 2>/dev/null </dev/null)}")
  names=("${(@M)names:#[A-Za-z0-9_][A-Za-z0-9._=-]#}")
  compadd "$@" -a names
}

"""

_TAIL = r"""
_orchctl() {
  local curcontext=$curcontext state ret=1
  local -a line
  local -A opt_args
  _arguments -C \
    '(- *)'{-h,--help}'[The verbs, and what they do.]' \
    '(- *)'{-V,--version}'[The version.]' \
    '1:verb:__orchctl_verbs' \
    '*::word:->words' && ret=0
  if [[ $state == words ]] && (( $+functions[__orchctl-$words[1]] )); then
    __orchctl-$words[1] && ret=0
  fi
  return ret
}

if [[ $funcstack[1] == _orchctl ]]; then
  _orchctl "$@"
else
  # Sourced instead of found in fpath.
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i; }
  compdef _orchctl orchctl
fi
"""


def script(verbs: Iterable[Command | Group]) -> str:
    found = list(verbs)
    top = [
        (v.name, v.summary) if isinstance(v, Group) else (v.path[0], v.summary)
        for v in found
        if isinstance(v, Group) or len(v.path) == 1
    ]
    topics = [*(name for name, _ in top), "exit-codes"]
    parts = [
        _HEAD,
        *(_asking(kind) for kind in ASKED),
        _described("__orchctl_verbs", "verb", [*top, ("help", "What a verb does and the options it takes")]),
        *(_group(v) if isinstance(v, Group) else _function(v) for v in found),
        f"__orchctl-help() {{ _arguments '1:verb:({' '.join(topics)})'; }}\n",
    ]
    return "".join(parts) + _TAIL


def _asking(kind: str) -> str:
    ending = " -S ''" if kind == "targets" else ""
    return f'__orchctl_{kind}() {{ __orchctl_names {kind} "$@"{ending}; }}\n'


def _described(function: str, what: str, names: Iterable[tuple[str, str]]) -> str:
    """A function that offers words with a description each."""
    lines = "".join("    " + _quoted(f"{_escaped(name, ':')}:{summary}") + "\n" for name, summary in names)
    return f"\n{function}() {{\n  local -a known\n  known=(\n{lines}  )\n  _describe {what} known\n}}\n"


def _group(group: Group) -> str:
    function = f"__orchctl-{group.name}"
    return (
        f"{_described(f'__orchctl_in_{group.name}', 'command', group.commands)}\n"
        f"{function}() {{\n"
        "  local curcontext=$curcontext state ret=1\n"
        "  local -a line before\n"
        "  local -A opt_args\n"
        f"  _arguments -C '(- *)'{{-h,--help}}'[Its commands.]' '1:command:__orchctl_in_{group.name}' "
        "'*::word:->words' && ret=0\n"
        f"  if [[ $state == words ]] && (( $+functions[{function}-$words[1]] )); then\n"
        f"    {function}-$words[1] && ret=0\n"
        "  fi\n"
        "  return ret\n"
        "}\n"
    )


def _function(command: Command) -> str:
    specs = [spec for flag in command.flags for spec in _specs(flag)]
    if command.argument.kind:
        place = "*" if command.many else "1"
        specs.append(_quoted(f"{place}:{_message(command.argument)}:{_action(command.argument)}"))
    lines = " \\\n    ".join(specs)
    return f"\n__orchctl-{'-'.join(command.path)}() {{\n  _arguments -s -S \\\n    {lines}\n}}\n"


def _specs(flag: Flag) -> Iterator[str]:
    before = "*" if flag.many else f"({' '.join(flag.names)})"
    for name in flag.names:
        text = f"[{_escaped(flag.help, '[]')}]"
        if flag.value is None:
            yield _quoted(f"{before}{name}{text}")
        else:
            ending = "=" if name.startswith("--") else "+"
            yield _quoted(f"{before}{name}{ending}{text}:{_message(flag.value)}:{_action(flag.value)}")


def _message(value: Value) -> str:
    return {"words": "word", "": "value", "targets": "service", "specs": "spec file"}.get(
        value.kind, value.kind.removesuffix("s")
    )


def _action(value: Value) -> str:
    if value.kind == "words":
        return f"({' '.join(value.words)})"
    files = {"files": "_files", "specs": '_files -g "*.(yaml|yml|json)"', "": " "}
    return files.get(value.kind, f"__orchctl_{value.kind}")


def _escaped(text: str, characters: str) -> str:
    return "".join(f"\\{c}" if c in f"\\{characters}" else c for c in text)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
