"""The verbs, as a table: what ``--help`` lists and where each one lives. Imports nothing."""

from __future__ import annotations


class Verb:
    """``functions`` are the commands in the verb's file under orchctl/cli (several: a group).

    A plain class: NamedTuple and dataclass import more than all of ``--help`` costs.
    """

    __slots__ = ("functions", "name", "summary")

    def __init__(self, name: str, summary: str, functions: tuple[str, ...]) -> None:
        self.name = name
        self.summary = summary
        self.functions = functions

    @property
    def is_group(self) -> bool:
        return len(self.functions) > 1


def _verb(name: str, summary: str, *functions: str) -> tuple[str, Verb]:
    return name, Verb(name, summary, functions or (name,))


VERBS: dict[str, Verb] = dict(
    (
        _verb("init", "Write a commented starter spec"),
        _verb("validate", "Check specs offline, against one or all backends"),
        _verb("render", "Print the native objects, or the merged spec, offline"),
        _verb("plan", "Show what a deploy would change"),
        _verb("deploy", "Make services run as the spec says, and wait until they do"),
        _verb("status", "Show what runs"),
        _verb("history", "Show the revisions of a service"),
        _verb("logs", "Print the output of a service"),
        _verb("why", "Say why a service is not healthy, and what to do"),
        _verb("scale", "Change how many instances run: web=5 api=+2 worker=50%"),
        _verb("discover", "Print where services can be reached"),
        _verb("sync", "Publish what runs in the catalog, and withdraw what does not"),
        _verb("rollback", "Go back to an earlier revision"),
        _verb("restart", "Replace every instance without changing anything"),
        _verb("delete", "Remove services and all that was made for them"),
        _verb("context", "List, show and choose contexts", "ls", "show", "use"),
        _verb("config", "Show every setting in force, and what set it"),
        _verb("lock", "Show or break the lock of a service", "show", "break"),
        _verb("consul", "List what orchctl has in Consul, and remove what is dead", "ls", "gc"),
        _verb("doctor", "Check that contexts can be reached and used"),
        _verb("backends", "Show what each backend can do"),
        _verb("schema", "Print the JSON Schema of the spec, or of an output"),
        _verb("explain", "Explain an error code such as E0220, or the exit codes"),
        _verb("completion", "Print the completion script of a shell: bash, zsh or fish"),
    )
)


OTHER_WORDS = {
    "apply": "deploy",
    "up": "deploy",
    "run": "deploy",
    "start": "deploy",
    "destroy": "delete",
    "down": "delete",
    "remove": "delete",
    "rm": "delete",
    "stop": "scale",
    "diff": "plan",
    "preview": "plan",
    "ps": "status",
    "ls": "status",
    "list": "status",
    "get": "status",
    "describe": "why",
    "inspect": "why",
    "undo": "rollback",
}
"""What other tools call it; asked first, since ``get_close_matches`` would offer ``deploy`` for ``destroy``."""
_LOOKS = ("init", "validate", "render", "plan", "status", "history", "logs", "why", "discover", "context", "config")
_LETTERS_OF_A_SLIP = 2


def guess(word: str) -> str:
    """The verb that ``word`` was probably meant to be, "" when nobody can tell. One that changes things is offered only for
    a slip of the keyboard."""
    from difflib import get_close_matches

    close = get_close_matches(word, VERBS, n=1)
    return close[0] if close and (close[0] in _LOOKS or _slips(word, close[0]) <= _LETTERS_OF_A_SLIP) else ""


def _slips(one: str, other: str) -> int:
    """Letters to add, leave out or change (Levenshtein) to make ``other`` of ``one``."""
    row = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, b in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (a != b))
    return row[-1]


def help_text() -> str:
    """What ``orchctl --help`` prints."""
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items())
    return (
        "Usage: orchctl VERB [SERVICE...] [OPTIONS]\n\n"
        "One service spec, many orchestrators: plan, deploy, scale, discover, roll back.\n\n"
        f"Verbs:\n{verbs}\n\n"
        "Options of every verb:\n"
        "  -h, --help     What a verb does and the options it takes: orchctl VERB --help\n"
        "  -V, --version  The version\n"
    )
