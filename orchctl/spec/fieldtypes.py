"""The types of the spec's leaves: how each text is checked, and how the JSON Schema shows it.

Validators raise ValueError with the sentence that the user reads; ``build`` adds the place.
Durations, CPU and sizes become milliseconds, millicores and bytes here, by ``core.units``.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from orchctl.core.units import parse_bytes, parse_cpu, parse_duration
from orchctl.spec.naming import NAME_LENGTH, NAMESPACE_LENGTH, name_problem
from orchctl.spec.scalars import Float, Int

_MAX_DURATION_MS = 30 * 86_400_000
_MAX_CPU_MILLIS = 10_000_000
_MAX_BYTES = 2**60
MAX_REPLICAS = 10_000

_PORT_NAME = re.compile(r"[a-z]([-a-z0-9]{0,13}[a-z0-9])?")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"(?!\.\.|\.$)[-._A-Za-z][-._A-Za-z0-9]*")
"""What an instance may be given: shells cannot read ``node.name``, but Elasticsearch is configured by such names. It is what
Kubernetes takes, the strictest of the backends."""
_LABEL_KEY = re.compile(r"[A-Za-z0-9]([-._/A-Za-z0-9]*[A-Za-z0-9])?")
_SECRET_NAME = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z0-9_][-A-Za-z0-9_.]*(:[A-Za-z0-9_][-A-Za-z0-9_.]*)?")
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"(?:[A-Za-z0-9][-.A-Za-z0-9]*(?::[0-9]{{1,5}})?/)?{_COMPONENT}(?:/{_COMPONENT})*"
    r"(?::[A-Za-z0-9_][-.A-Za-z0-9_]{0,127})?(?:@sha256:[a-f0-9]{64})?"
)
_MODE = re.compile(r"0?[0-7]{3}")
_VERSION = r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,2}"
_CONSTRAINT = re.compile(rf"\*|(?:>=|<=|==|!=|=|>|<)? ?{_VERSION}(?: ?, ?(?:>=|<=|==|!=|=|>|<)? ?{_VERSION})*")
_CATALOG_NAME = re.compile(r"[a-z]([-a-z0-9]{0,45}[a-z0-9])?")
_CATALOG_TAG = re.compile(r"[!-~]+")
PROVIDERS = ("env", "file", "exec")


def _checked_name(what: str, longest: int) -> Callable[[str], str]:
    def check(text: str) -> str:
        if problem := name_problem(text, what, longest):
            raise ValueError(problem)
        return text

    return check


def _matching(pattern: re.Pattern[str], sentence: str, longest: int = 255) -> Callable[[str], str]:
    """A validator that wants ``pattern``; ``{}`` in ``sentence`` is the text."""

    def check(text: str) -> str:
        if len(text) > longest or not pattern.fullmatch(text):
            raise ValueError(sentence.format(repr(text[:80])))
        return text

    return check


def _words(value: Any) -> Any:
    """Numbers as the text they were written as; everything else unchanged, for the type check to judge."""
    return value.text if isinstance(value, Int | Float) else value


def _quantity(parse: Callable[[str], int], what: str, least: int, most: int) -> Callable[[Any], int]:
    def read(value: Any) -> int:
        text = _words(value)
        if not isinstance(text, str):
            raise ValueError(f"{what} is written as text")
        amount = parse(text)
        if not least <= amount <= most:
            raise ValueError(f"{text!r} is out of range for {what}")
        return amount

    return read


_read_duration = _quantity(parse_duration, "a duration", 0, _MAX_DURATION_MS)


def _duration(value: Any) -> int:
    if isinstance(value, Int | Float) and value != 0:
        raise ValueError(f"{value.text} of what? write {value.text}s for seconds, {value.text}m for minutes")
    return _read_duration(value)


def _positive_duration(value: Any) -> int:
    amount = _duration(value)
    if amount == 0:
        raise ValueError("must be longer than 0")
    return amount


def _percentage(value: Any) -> int:
    text = value if isinstance(value, str) else ""
    if not re.fullmatch(r"[0-9]{1,3}%", text) or not 1 <= int(text[:-1]) <= 100:
        raise ValueError("write a percentage from 1% to 100%")
    return int(text[:-1])


def _amount(value: Any) -> int | str:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_REPLICAS:
        return int(value)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,3}%", value) and int(value[:-1]) <= 100:
        return value
    raise ValueError("write a count such as 1, or a percentage such as 25%")


def _mode(value: Any) -> str:
    if isinstance(value, Int):
        raise ValueError(f'the file mode {value.text} needs quotes: mode: "0{value.text}"')
    if not isinstance(value, str) or not _MODE.fullmatch(value):
        raise ValueError('a file mode is octal text such as "0644"')
    return value.zfill(4)


def _absolute_path(text: str) -> str:
    parts = text.split("/")
    if not text.startswith("/") or len(text) > 4096 or "" in parts[1:] or "." in parts or ".." in parts:
        raise ValueError(f"{text[:80]!r} is not an absolute path without //, . or .. (and without / at its end)")
    return text


def _url_path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or not text.isprintable() or " " in text or len(text) > 1024:
        raise ValueError(f"{text[:80]!r} is not the path of a URL; it starts with one / and has no spaces")
    return text


def _secret(text: str) -> str:
    provider, colon, rest = text.partition(":")
    if not colon:
        return _matching(_SECRET_NAME, "{} is not the name of a secret: letters, digits, - . _ (at most 64)", 64)(text)
    if provider not in PROVIDERS:
        raise ValueError(f"{provider[:20]!r} is not a secret provider; write env:NAME, file:PATH or exec:COMMAND")
    if not rest.strip() or len(rest) > 4096:
        raise ValueError(f"nothing follows {provider}:")
    if provider == "env":
        return f"env:{_matching(_ENV_NAME, '{} is not the name of a variable')(rest)}"
    if provider == "exec":
        try:
            shlex.split(rest)
        except ValueError:
            raise ValueError("the command after exec: has an open quote") from None
    return text


def _env_name(text: str) -> str:
    if text.startswith("ORCHCTL_"):
        raise ValueError("names that start with ORCHCTL_ are set by orchctl")
    message = "{} is not the name of a variable: letters, digits, _ - and ., not starting with a digit"
    return _matching(_VARIABLE, message)(text)


def _label_key(text: str) -> str:
    if text.startswith(("orchctl.dev/", "com.docker.")):
        raise ValueError(
            f"labels that start with {text.partition('/')[0] if '/' in text else 'com.docker.'!r} belong to the machinery"
        )
    return _matching(_LABEL_KEY, "{} is not a label's key: letters, digits, - _ . /", 128)(text)


def _port_name(text: str) -> str:
    if "--" in text:
        raise ValueError("a port's name has no --")
    return _matching(_PORT_NAME, "{} is not a port's name: at most 15 of a-z, 0-9 and -, starting with a letter")(text)


def _text_schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", **more})


def _word_schema(**more: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": ["string", "number"], **more})


_DURATION_PATTERN = r"^(0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+)$"

Name = Annotated[str, AfterValidator(_checked_name("service name", NAME_LENGTH)), Field(max_length=NAME_LENGTH)]
Namespace = Annotated[
    str, AfterValidator(_checked_name("namespace", NAMESPACE_LENGTH)), Field(max_length=NAMESPACE_LENGTH)
]
Image = Annotated[
    str,
    AfterValidator(_matching(_IMAGE, "{} is not an image reference such as registry.example.com/acme/web:1.10", 512)),
]
Word = Annotated[str, BeforeValidator(_words), _word_schema()]
Duration = Annotated[int, BeforeValidator(_duration), _text_schema(pattern=_DURATION_PATTERN)]
PositiveDuration = Annotated[int, BeforeValidator(_positive_duration), _text_schema(pattern=_DURATION_PATTERN)]
Cpu = Annotated[int, BeforeValidator(_quantity(parse_cpu, "CPU", 1, _MAX_CPU_MILLIS)), _word_schema()]
Size = Annotated[int, BeforeValidator(_quantity(parse_bytes, "a size", 1, _MAX_BYTES)), _word_schema()]
Percentage = Annotated[int, BeforeValidator(_percentage), _text_schema(pattern=r"^[0-9]{1,3}%$")]
Amount = Annotated[
    int | str,
    BeforeValidator(_amount),
    WithJsonSchema({"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": "^[0-9]{1,3}%$"}]}),
]
Mode = Annotated[str, BeforeValidator(_mode), _text_schema(pattern=r"^0?[0-7]{3}$")]
AbsolutePath = Annotated[str, AfterValidator(_absolute_path)]
UrlPath = Annotated[str, AfterValidator(_url_path)]
SecretName = Annotated[str, AfterValidator(_secret)]
EnvName = Annotated[str, AfterValidator(_env_name)]
LabelKey = Annotated[str, AfterValidator(_label_key)]
PortName = Annotated[str, AfterValidator(_port_name)]
CatalogName = Annotated[
    str,
    AfterValidator(
        _matching(_CATALOG_NAME, "{} is not a name for clients: at most 47 of a-z, 0-9 and -, starting with a letter")
    ),
]
CatalogTag = Annotated[
    str, AfterValidator(_matching(_CATALOG_TAG, "{} is not a tag: letters, digits and signs, without spaces"))
]
PortNumber = Annotated[int, Field(ge=1, le=65_535)]
User = Annotated[str, AfterValidator(_matching(_USER, '{} is not a user; write a name or "1000:1000"'))]
Version = Annotated[
    str,
    BeforeValidator(_words),
    AfterValidator(_matching(re.compile(_VERSION), "{} is not a version such as 2.3")),
    _word_schema(),
]
Constraint = Annotated[
    str,
    BeforeValidator(_words),
    AfterValidator(_matching(_CONSTRAINT, "{} is not a version constraint such as >=2,<3")),
    _word_schema(),
]
