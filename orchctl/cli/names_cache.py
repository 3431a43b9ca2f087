"""Names for completion, in plain files: read on TAB (``orchctl __complete``), written by ordinary commands (``noting``).

Imports os and sys only: what this file imports is what a key press costs. Under the cache directory:

    contexts/PLACE   mark, name, namespace and services file of each context; PLACE is the configuration in force
    services/FILE    namespace, service and its revisions of one context

One line each, fields separated by tabs. Only names of letters, digits, ``.``, ``_`` and ``-`` are kept and offered:
any other character may mean something to a shell or a terminal, and a name may come from a foreign cluster.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing itself costs a third of a key press
if TYPE_CHECKING:
    from collections.abc import Mapping

CURRENT, OTHER = "*", "-"
DEFAULT_NAMESPACE = "default"
_PROJECT_FILE = ".orchctl.toml"
_REPOSITORY = (".git", ".hg", ".svn", ".jj")
_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")
_LONGEST = 253
_MOST = 1 << 20  # characters of a file; more than ten thousand services help nobody on TAB
_WHERE = {"--context": "context", "--backend": "backend", "--namespace": "namespace", "-n": "namespace"}


def answer(words: list[str]) -> None:
    """``orchctl __complete KIND [WORDS...]``: one name a line on stdout; says nothing when anything is missing."""
    try:
        names = offered(words[0], words[1:], os.getcwd(), os.environ) if words else []
        os.write(1, "".join(f"{name}\n" for name in names).encode())
    except (OSError, ValueError):  # no working directory, nobody reads: a key press is not the moment to complain
        return


def offered(kind: str, words: list[str], cwd: str, environ: Mapping[str, str]) -> list[str]:
    """The names of ``kind`` that fit behind ``words``, the command line after the program up to the word in work.

    Kinds: contexts, namespaces, services, targets (``name=``), revisions (of the first service among the words).
    """
    where, others = _typed(words)
    directory = cache_dir(environ)
    contexts = _contexts(directory, cwd, environ) if directory else []
    if kind == "contexts":
        return [name for _, name, _, _ in contexts]
    namespace, file = _place(contexts, where, environ.get("ORCHCTL_CONTEXT", ""))
    rows = services(services_path(directory, file)) if directory and file else {}
    if kind == "namespaces":
        return sorted({*rows, namespace} if file else rows)
    there = rows.get(where.get("namespace") or namespace, {})
    if kind == "revisions":
        asked = next((word for word in others if word in there), "")
        return [str(number) for number in sorted(revisions(there.get(asked, "")), reverse=True)]
    free = sorted({*there} - {word.partition("=")[0] for word in others})
    return {"services": free, "targets": [f"{name}=" for name in free]}.get(kind, [])


def is_safe(name: str) -> bool:
    """Nothing in it that a shell, a terminal or one of these files could take for something else than a name."""
    return 0 < len(name) <= _LONGEST and name[0] not in "-." and _SAFE.issuperset(name)


def cache_dir(environ: Mapping[str, str]) -> str:
    """Below ORCHCTL_STATE_DIR where that is set (it decides which services exist), else the user's; "" = nowhere."""
    if named := environ.get("ORCHCTL_STATE_DIR"):
        return os.path.join(os.path.abspath(os.path.expanduser(named)), "cache")
    home, named = environ.get("HOME", ""), environ.get("XDG_CACHE_HOME", "")
    if named.startswith("/"):
        return os.path.join(named, "orchctl")
    if not home.startswith("/"):
        return ""
    return os.path.join(home, "Library/Caches" if sys.platform == "darwin" else ".cache", "orchctl")


def contexts_path(directory: str, cwd: str, environ: Mapping[str, str]) -> str:
    """Where the contexts of the configuration stand that is in force in ``cwd``."""
    return os.path.join(directory, "contexts", as_file(_configuration(cwd, environ) or "user"))


def services_path(directory: str, file: str) -> str:
    return os.path.join(directory, "services", file)


def as_file(path: str) -> str:
    """A path as the name of a file: nothing in it but what names have, and %."""
    return "".join(chr(byte) if chr(byte) in _SAFE else f"%{byte:02X}" for byte in os.fsencode(path))


def services(path: str) -> dict[str, dict[str, str]]:
    """Namespace -> service -> its revisions as they stand there; lines that are not as they should be do not count."""
    found: dict[str, dict[str, str]] = {}
    for line in text_of(path).split("\n"):
        namespace, _, rest = line.partition("\t")
        name, tab, numbers = rest.partition("\t")
        if tab and is_safe(name) and (namespace in found or is_safe(namespace)):
            found.setdefault(namespace, {})[name] = numbers
    return found


def revisions(text: str) -> set[int]:
    """The numbers behind a service."""
    return {int(number) for number in text.split(" ") if is_number(number)}


def is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def text_of(path: str) -> str:
    """What stands there, without a last line that is cut off; "" when it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            head, newline, _ = file.read(_MOST).rpartition("\n")
            return head + newline
    except (OSError, ValueError):
        return ""


def _contexts(directory: str, cwd: str, environ: Mapping[str, str]) -> list[list[str]]:
    text = text_of(contexts_path(directory, cwd, environ))
    lines = [line.split("\t") for line in text.split("\n")]
    return [f for f in lines if len(f) == 4 and is_safe(f[1]) and is_safe(f[2]) and is_safe(f[3].replace("%", ""))]


def _place(contexts: list[list[str]], where: dict[str, str], named: str) -> tuple[str, str]:
    """Namespace and services file of the context that a command with these words would choose; file "" = not known."""
    if backend := where.get("backend"):
        return DEFAULT_NAMESPACE, backend if is_safe(backend) else ""
    wanted = where.get("context") or named
    for mark, name, namespace, file in contexts:
        if name == wanted or (not wanted and mark == CURRENT):
            return namespace, file
    return DEFAULT_NAMESPACE, ""


def _typed(words: list[str]) -> tuple[dict[str, str], list[str]]:
    """The place that is named already, and the words behind the verb that do not name it."""
    where: dict[str, str] = {}
    others: list[str] = []
    rest = iter(words[1:])
    for word in rest:
        flag, equals, value = word.partition("=")
        if flag in _WHERE:
            where[_WHERE[flag]] = (value if equals else next(rest, "")).strip("\"'")
        elif word.startswith("-n") and len(word) > 2:
            where["namespace"] = word[2:]
        else:
            others.append(word)
    return where, others


def _configuration(cwd: str, environ: Mapping[str, str]) -> str:
    """The file that makes this place's configuration differ from the user's, as ``configuration`` looks for it."""
    if named := environ.get("ORCHCTL_CONFIG"):
        return os.path.join(cwd, os.path.expanduser(named))
    directory = cwd
    while not os.path.isfile(os.path.join(directory, _PROJECT_FILE)):
        above = os.path.dirname(directory)
        if above == directory or any(os.path.exists(os.path.join(directory, mark)) for mark in _REPOSITORY):
            return ""
        directory = above
    return os.path.join(directory, _PROJECT_FILE)
