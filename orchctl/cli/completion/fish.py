"""The script for fish 3 and later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from orchctl.cli.completion.words import Command, Flag, Group, Value

_HEAD = r"""# Completion of orchctl for fish 3 and later. Made from the verbs by orchctl.cli.completion; not edited by hand.
# No word that comes from elsewhere is ever evaluated; and only plain names are offered.

# Succeeds when the line begins with these words.
function __orchctl_at
    set -l words (commandline -opc)
    test (count $words) -gt (count $argv); and test "$words[2..$(math 1 + (count $argv))]" = "$argv"
end

# Succeeds when nothing but the words given stands before the cursor.
function __orchctl_only
    set -l words (commandline -opc)
    test (count $words) -eq (math 1 + (count $argv)); and test "$words[2..]" = "$argv"
end

# Succeeds when the line begins with these words and the word in work is no option.
function __orchctl_more
    __orchctl_at $argv; and not string match -q -- '-*' (commandline -ct)
end

# The same when no argument follows yet.
function __orchctl_first
    __orchctl_more $argv; or return 1
    set -l words (commandline -opc)
    set -l waiting 0
    for word in $words[(math 2 + (count $argv))..]
        if test $waiting -eq 1
            set waiting 0
        else if contains -- $word $__orchctl_valued
            set waiting 1
        else if not string match -q -- '-*' $word
            return 1
        end
    end
end

# Names that only the program knows; it reads them from a file.
function __orchctl_names
    command -q orchctl; or return
    set -l words (commandline -opc)
    command orchctl __complete $argv $words[2..] 2>/dev/null </dev/null | string match -r -- '^[A-Za-z0-9_][A-Za-z0-9._=-]*$'
end

# Spec files and directories.
function __orchctl_specs
    set -l typed (commandline -ct | string replace -r -- '^--[a-z-]+=' '')
    set -l path "$typed"
    if string match -q -- '~/*' "$typed"
        set path "$HOME/"(string sub -s 3 -- "$typed")
    end
    for file in $path*
        if test -d $file
            set file $file/
        else if not string match -q -r -- '\.(yaml|yml|json)$' $file
            continue
        end
        if test "$path" != "$typed"
            set file "~/"(string sub -s (math 2 + (string length -- $HOME)) -- $file)
        end
        printf '%s\n' $file
    end
end

complete -c orchctl -f
"""


def script(verbs: Iterable[Command | Group]) -> str:
    found = list(verbs)
    top = [
        (v.name, v.summary) if isinstance(v, Group) else (v.path[0], v.summary)
        for v in found
        if isinstance(v, Group) or len(v.path) == 1
    ]
    single = [v for v in found if isinstance(v, Command) and v.argument.kind and not v.many]
    valued = sorted({n for c in single for f in c.flags if f.value is not None for n in f.names})
    lines = [
        f"set -g __orchctl_valued {' '.join(valued)}",
        _line("__orchctl_only", "-s h -l help", "The verbs, and what they do."),
        _line("__orchctl_only", "-s V -l version", "The version."),
        *(_line("__orchctl_only", f"-a {name}", summary) for name, summary in top),
        _line("__orchctl_only", "-a help", "What a verb does and the options it takes"),
        _line("__orchctl_only help", f"-a '{' '.join([*(n for n, _ in top), 'exit-codes'])}'"),
    ]
    for verb in found:
        lines += ["", *(_group(verb) if isinstance(verb, Group) else _command(verb))]
    return _HEAD + "\n".join(lines) + "\n"


def _group(group: Group) -> Iterator[str]:
    for name, summary in group.commands:
        yield _line(f"__orchctl_only {group.name}", f"-a {name}", summary)
    yield _line(f"__orchctl_only {group.name}", "-s h -l help", "Its commands.")


def _command(command: Command) -> Iterator[str]:
    path = " ".join(command.path)
    for flag in command.flags:
        yield _line(f"__orchctl_at {path}", f"{_names(flag)}{_value(flag.value)}", flag.help)
    if command.argument.kind:
        place = "__orchctl_more" if command.many else "__orchctl_first"
        yield _line(f"{place} {path}", f"-a {_offer(command.argument)}")


def _names(flag: Flag) -> str:
    return " ".join(f"-l {n[2:]}" if n.startswith("--") else f"-s {n[1:]}" for n in flag.names)


def _value(value: Value | None) -> str:
    if value is None:
        return ""
    if value.kind == "files":
        return " -r -F"
    return f" -x -a {_offer(value)}" if value.kind else " -x"


def _offer(value: Value) -> str:
    if value.kind == "words":
        return _quoted(" ".join(value.words))
    if value.kind == "specs":
        return "'(__orchctl_specs)'"
    return f"'(__orchctl_names {value.kind})'"


def _line(condition: str, what: str, summary: str = "") -> str:
    return f"complete -c orchctl -n '{condition}' {what}" + (f" -d {_quoted(summary)}" if summary else "")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
