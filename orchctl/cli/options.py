"""The options that several verbs share, as groups: a verb takes a group as one parameter.

``flatten`` shows typer a function whose parameters are the fields of the groups, and gives the verb
the groups back. So each option is written once, and a verb's signature says what it works with.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, dataclass, field, fields, is_dataclass
from typing import Annotated, Any, Literal

import typer

from orchctl.core.context import Allow

Services = Annotated[
    list[str],
    typer.Argument(metavar="SERVICE", help="Only these services.", default_factory=list, show_default=False),
]
Named = Annotated[list[str], typer.Argument(metavar="SERVICE", help="The services.", show_default=False)]
OneService = Annotated[str, typer.Argument(metavar="SERVICE", help="The service.", show_default=False)]
Report = Annotated[
    Literal["text", "json", "yaml", "jsonl", "name"],
    typer.Option("--output", "-o", help="How to print the result; jsonl streams what happens."),
]


def report_option(kinds: str) -> Any:
    """``--report``, for a verb that has these kinds."""
    return typer.Option(
        "--report",
        metavar="KIND=FILE",
        help=f"Also write a report: {kinds}.",
        default_factory=list,
        show_default=False,
    )


Reports = Annotated[list[str], report_option("junit or dotenv")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse what the backend emulates or approximates.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the history.", show_default=False)]


@dataclass(frozen=True)
class Where:
    """Which backend, and which namespace there."""

    context: Annotated[
        str, typer.Option("--context", metavar="NAME", help="Context of the configuration.", show_default=False)
    ] = ""
    backend: Annotated[
        str,
        typer.Option("--backend", metavar="NAME", help="A backend with its default settings.", show_default=False),
    ] = ""
    namespace: Annotated[
        str, typer.Option("--namespace", "-n", metavar="NAME", help="Namespace.", show_default=False)
    ] = ""


@dataclass(frozen=True)
class Files:
    """Where the specs come from."""

    file: Annotated[
        list[str],
        typer.Option(
            "--file", "-f", metavar="FILE", help="Spec file, directory or - (default: orch.yaml).", show_default=False
        ),
    ] = field(default_factory=list)
    env: Annotated[
        str, typer.Option("--env", metavar="NAME", help="Lay NAME's overlays over the files.", show_default=False)
    ] = ""
    set_: Annotated[
        list[str],
        typer.Option("--set", metavar="PATH=VALUE", help="Replace one value of the spec.", show_default=False),
    ] = field(default_factory=list)
    env_file: Annotated[
        list[str],
        typer.Option("--env-file", metavar="FILE", help="Variables for ${NAME}.", show_default=False),
    ] = field(default_factory=list)


@dataclass(frozen=True)
class Consent:
    """The answer to a question that would be asked."""

    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. A protected context wants --yes=CONTEXT.")] = (
        False
    )
    confirm: Annotated[
        str,
        typer.Option("--confirm", metavar="CONTEXT", help="With --yes: the protected context.", show_default=False),
    ] = ""


@dataclass(frozen=True)
class MayForce:
    """What an apply goes ahead with only when the user says so."""

    force_conflicts: Annotated[
        bool,
        typer.Option(
            "--force-conflicts", help="Take over fields that others have set (kubernetes; else without effect)."
        ),
    ] = False

    def allowed(self) -> frozenset[Allow]:
        return frozenset({Allow.FORCE_CONFLICTS} if self.force_conflicts else ())


@dataclass(frozen=True)
class MayCreate(MayForce):
    """The same, and the namespace may be new."""

    create_namespace: Annotated[
        bool, typer.Option("--create-namespace", help="Make a missing namespace (kubernetes; else without effect).")
    ] = False

    def allowed(self) -> frozenset[Allow]:
        return super().allowed() | ({Allow.CREATE_NAMESPACE} if self.create_namespace else frozenset())


@dataclass(frozen=True)
class Waiting:
    """How long to wait for what."""

    no_wait: Annotated[bool, typer.Option("--no-wait", help="Return once the change is sent.")] = False
    timeout: Annotated[
        str,
        typer.Option(
            "--timeout", metavar="DURATION", help="Stop waiting after this; the rollout goes on.", show_default=False
        ),
    ] = ""
    lock_timeout: Annotated[
        str, typer.Option("--lock-timeout", metavar="DURATION", help="How long to wait for another deployer.")
    ] = "5m"


@dataclass(frozen=True)
class Talk:
    """How much is said, and how it looks."""

    color: Annotated[Literal["auto", "always", "never"], typer.Option("--color", help="Colours.")] = "auto"
    progress: Annotated[
        Literal["auto", "tty", "plain", "quiet", "json"],
        typer.Option("--progress", help="What is shown while waiting; json: stderr has one document a line."),
    ] = "auto"
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors.")] = False
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Say more: what a plan leaves to defaults, the traceback of a bug.")
    ] = False


@dataclass(frozen=True)
class Printing(Talk):
    """The same for a verb that prints documents."""

    query: Annotated[
        str | None,
        typer.Option(
            "--query",
            metavar="EXPRESSION",
            help="Print what this JMESPath finds in the document of -o json: as text, or as -o says.",
            show_default=False,
        ),
    ] = None


def flatten(verb: Callable[..., int]) -> Callable[..., int]:
    """``verb`` as typer reads it: every parameter that is a group replaced by the group's fields."""
    hints = typing.get_type_hints(verb, include_extras=True)
    groups = {name: hint for name, hint in hints.items() if is_dataclass(hint)}
    members = {name: [f.name for f in fields(group)] for name, group in groups.items()}

    def call(**values: Any) -> int:
        for name, group in groups.items():
            values[name] = group(**{member: values.pop(member) for member in members[name]})  # type: ignore[operator]
        return verb(**values)

    parameters = list(_parameters(verb, hints))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {p.name: p.annotation for p in parameters}
    call.__doc__ = verb.__doc__
    call.__name__ = verb.__name__
    return call


def _parameters(verb: Callable[..., int], hints: dict[str, Any]) -> Iterator[inspect.Parameter]:
    """The verb's own first, so that ``--help`` shows them first."""
    own = [p for p in inspect.signature(verb).parameters.values() if not is_dataclass(hints[p.name])]
    yield from (p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name]) for p in own)
    for hint in filter(is_dataclass, hints.values()):
        inner = typing.get_type_hints(hint, include_extras=True)
        for member in fields(hint):
            yield inspect.Parameter(
                member.name, inspect.Parameter.KEYWORD_ONLY, default=_default(member), annotation=inner[member.name]
            )


def _default(member: Field[Any]) -> Any:
    return member.default if member.default_factory is MISSING else member.default_factory()
