"""Which Marathon a context means, and how it is spoken to. Secrets come from files, never from the configuration."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchctl.core.context import Context
from orchctl.errors import ConfigError

SETTINGS = ("urls", "auth", "ca", "mesos", "dns_domain")
_AUTH = ("user", "password_file", "token_file")
DNS_DOMAIN = "marathon.mesos"


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Basic with ``user`` and the first line of ``password_file``, or a token of DC/OS. Files are read for every
    request, so that a rotated token is used at once."""

    user: str = ""
    password_file: Path | None = None
    token_file: Path | None = None

    def header(self) -> dict[str, str]:
        """The header to send; ConfigError when the file cannot be read."""
        if self.token_file is not None:
            token = _first_line(self.token_file)
            if not token.isascii() or not token.isprintable():
                raise ConfigError(f"{self.token_file}: a token has printable ASCII characters only")
            return {"Authorization": f"token={token}"}
        if self.password_file is None:
            return {}
        pair = f"{self.user}:{_first_line(self.password_file)}"
        return {"Authorization": "Basic " + base64.b64encode(pair.encode()).decode("ascii")}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``urls`` without a slash at the end, the base path included (``http://dcos/service/marathon``). ``verify``: a CA
    file, or True for the system's. ``mesos``: addresses of the master, for logs."""

    urls: tuple[str, ...]
    source: str
    auth: Auth = Auth()
    verify: bool | str = True
    mesos: tuple[str, ...] = ()
    dns_domain: str = DNS_DOMAIN

    @property
    def words(self) -> str:
        return f"{', '.join(self.urls)} ({self.source})"


def resolve(context: Context, environ: Mapping[str, str]) -> Target:
    """The context's settings, then MARATHON_URL (several with commas); ConfigError when neither says it."""
    settings = context.settings
    if unknown := sorted(set(settings) - set(SETTINGS)):
        raise ConfigError(
            f"context {context.name!r}: Marathon has no setting {unknown[0]!r}", hint=f"known: {', '.join(SETTINGS)}"
        )
    urls, source = _texts(context, "urls"), f"context {context.name}"
    if not urls:
        urls, source = tuple(u.strip() for u in environ.get("MARATHON_URL", "").split(",") if u.strip()), "MARATHON_URL"
    if not urls:
        raise ConfigError(
            f"context {context.name!r} does not say where Marathon is",
            hint='set urls = ["http://HOST:8080", ...] in the context, or MARATHON_URL',
        )
    return Target(
        urls=tuple(_checked(url, source) for url in urls),
        source=source,
        auth=_auth(context),
        verify=_verify(context, environ),
        mesos=tuple(_checked(url, f"{source}: mesos") for url in _texts(context, "mesos")),
        dns_domain=str(settings.get("dns_domain", DNS_DOMAIN)),
    )


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port: what decides whether two addresses are the same server."""
    parts = urlsplit(url)
    usual = 443 if parts.scheme == "https" else 80
    return parts.scheme.lower(), (parts.hostname or "").lower(), usual if parts.port is None else parts.port


def _texts(context: Context, name: str) -> tuple[str, ...]:
    value = context.settings.get(name, ())
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Sequence) or not all(isinstance(v, str) and v for v in value):
        raise ConfigError(f"context {context.name!r}: {name} must be an address or a list of addresses")
    return tuple(value)


def _checked(url: str, source: str) -> str:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and origin_of(url)[2] > 0
    except ValueError:
        good = False
    if "@" in url:  # first: the other messages show the address
        raise ConfigError(
            f"{source}: the address has credentials in it", hint="put them into auth = {user, password_file}"
        )
    if not good:
        raise ConfigError(f"{source}: {url!r} is not an address", hint="write http://HOST:PORT or https://HOST/PATH")
    if parts.query or parts.fragment:
        raise ConfigError(f"{source}: {url!r} has more than an address and a base path")
    return url.rstrip("/")


def _auth(context: Context) -> Auth:
    given: Any = context.settings.get("auth")
    if given is None:
        return Auth()
    named = sorted(given) if isinstance(given, Mapping) and all(isinstance(v, str) for v in given.values()) else []
    if named == ["token_file"]:
        return Auth(token_file=_file(context, given["token_file"], "auth.token_file"))
    if named == ["password_file", "user"]:
        return Auth(user=given["user"], password_file=_file(context, given["password_file"], "auth.password_file"))
    raise ConfigError(
        f"context {context.name!r}: auth takes user and password_file, or token_file",
        hint=f"known: {', '.join(_AUTH)}; secrets themselves never stand in this file",
    )


def _verify(context: Context, environ: Mapping[str, str]) -> bool | str:
    """Our own CA wins over the environment's bundle; without one the bundle is what the user means."""
    ca = context.settings.get("ca")
    if ca is None:
        return environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    if not isinstance(ca, str):
        raise ConfigError(f"context {context.name!r}: ca must be a file")
    return str(_file(context, ca, "ca"))


def _file(context: Context, path: str, name: str) -> Path:
    found = context.base_dir / Path(path).expanduser()
    if not found.is_file():
        raise ConfigError(f"context {context.name!r}: {name}: no file {found}")
    return found


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from None
    line = lines[0].strip() if lines else ""
    if not line:
        raise ConfigError(f"{path}: the first line is empty", hint="the secret stands in it")
    return line
