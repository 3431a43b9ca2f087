"""Which Consul a catalog means: address, credentials and authority come from the configuration and nowhere else.

Consul's own variables (CONSUL_HTTP_ADDR, CONSUL_HTTP_TOKEN, CONSUL_HTTP_SSL, ...) are not read: a command must not
write to another cluster's records because of what a shell happens to export.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from orchctl.core.context import Catalog
from orchctl.core.secret import Secret
from orchctl.errors import ConfigError

SETTINGS = ("consul", "token_file", "ca", "cert", "key", "datacenter", "dns", "domain", "mesh")
_PORTS = {"http": 8500, "https": 8501}
_DNS_PORT = 8600
_EXAMPLE = 'write it as consul = "http://HOST:8500" or "https://HOST:8501"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``host`` as it stands in a URL (IPv6 in brackets). ``verify``: a CA file, or True for the system's.
    ``datacenter`` "" = that of the agent which is asked. ``dns``: host and port that answer for ``domain``."""

    scheme: str
    host: str
    port: int
    token: Secret | None = field(default=None)
    verify: bool | str = True
    cert: tuple[str, str] | None = None
    datacenter: str = ""
    dns: tuple[str, int] = ("", 0)
    domain: str = "consul"

    @property
    def words(self) -> str:
        """The address for people, and for the start of every error."""
        place = f", datacenter {self.datacenter}" if self.datacenter else ""
        return f"Consul at {self.scheme}://{self.host}:{self.port}{place}"


def resolve(catalog: Catalog, environ: Mapping[str, str]) -> Target:
    """Reads the token and looks for the files; ConfigError names the key that is wrong."""
    settings = catalog.settings
    _known(catalog)
    scheme, host, port = _address(catalog, str(settings.get("consul", "")))
    files = {name: _file(catalog, name) for name in ("ca", "cert", "key") if name in settings}
    if scheme == "http" and files:
        raise _wrong(catalog, f"{next(iter(files))} needs an address with https", _EXAMPLE)
    if ("cert" in files) != ("key" in files):
        raise _wrong(catalog, "a client certificate needs both cert and key")
    # Our own CA wins over the environment's bundle; without one the bundle is what the user means.
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    return Target(
        scheme=scheme,
        host=host,
        port=port,
        token=_token(catalog),
        verify=files.get("ca", bundle),
        cert=(files["cert"], files["key"]) if "cert" in files else None,
        datacenter=_text(catalog, "datacenter"),
        dns=_dns(catalog, host.strip("[]")),
        domain=_text(catalog, "domain").strip(".") or "consul",
    )


def _dns(catalog: Catalog, host: str) -> tuple[str, int]:
    """The agent itself at its usual port, where nothing is said."""
    text = _text(catalog, "dns")
    try:
        parts = urlsplit(f"//{text}")
        named, port = parts.hostname or "", parts.port
    except ValueError:
        named, port = "", None
    if text and (not named or parts.path):
        raise _wrong(catalog, f"dns: {text!r} is not the address of a DNS server", 'write it as dns = "HOST:8600"')
    return named or host, port or _DNS_PORT


def _known(catalog: Catalog) -> None:
    for key in catalog.settings:
        if key not in SETTINGS:
            close = get_close_matches(key, SETTINGS, 1)
            raise _wrong(catalog, f"no setting {key!r}", f"did you mean {close[0]!r}?" if close else _all_settings())


def _all_settings() -> str:
    return f"known: {', '.join(SETTINGS)}"


def _address(catalog: Catalog, text: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        shown = repr(text) if "@" not in text else "what is written"  # it may hold a password
        raise _wrong(catalog, f"{shown} is not the address of a Consul agent: {error}", _EXAMPLE) from None
    if "@" in text:
        raise _wrong(catalog, "an address holds no user and no password; name the token's file with token_file")
    if parts.scheme not in _PORTS or not host or parts.path.strip("/") or parts.query or parts.fragment:
        raise _wrong(catalog, f"{text!r} is not the address of a Consul agent", _EXAMPLE)
    return parts.scheme, f"[{host}]" if ":" in host else host, port or _PORTS[parts.scheme]


def _token(catalog: Catalog) -> Secret | None:
    if "token_file" not in catalog.settings:
        return None
    path = _file(catalog, "token_file")
    try:
        token = Path(path).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise _wrong(catalog, f"token_file {path} cannot be read: {error}") from None
    if not token or len(token.split()) != 1:
        raise _wrong(catalog, f"token_file {path} does not hold one token and nothing else")
    return Secret(token.encode())


def _file(catalog: Catalog, key: str) -> str:
    path = catalog.base_dir / Path(_text(catalog, key)).expanduser()
    if not path.is_file():
        raise _wrong(catalog, f"{key}: no file {path}")
    return str(path)


def _text(catalog: Catalog, key: str) -> str:
    value: Any = catalog.settings.get(key, "")
    if not isinstance(value, str):
        raise _wrong(catalog, f"{key} must be a text in quotes")
    return value


def _wrong(catalog: Catalog, message: str, hint: str = "") -> ConfigError:
    return ConfigError(f"catalog {catalog.name!r}: {message}", hint=hint)
