"""Which engine a context means, resolved here and shown to the user: the SDK's own guess is never used."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchctl.core.context import Context
from orchctl.errors import ConfigError, UsageError

DEFAULT_HOST = "unix:///var/run/docker.sock"
SETTINGS = ("host", "tls", "docker_context")
_TLS = ("ca", "cert", "key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``verify``: a CA file, or True for the system's. ``source`` says where the address was found."""

    host: str
    source: str
    tls: bool = False
    verify: bool | str = True
    cert: tuple[str, str] | None = None

    @property
    def words(self) -> str:
        return f"{self.shown} ({self.source})"

    @property
    def shown(self) -> str:
        """The address without what stands before its last @: a password may."""
        head, at, rest = self.host.rpartition("@")
        return f"{head.partition('://')[0]}://{rest}" if at and "://" in head else rest


def resolve(context: Context, environ: Mapping[str, str]) -> Target:
    """Context settings, then DOCKER_HOST, then the current docker context, then the default socket."""
    settings = context.settings
    if unknown := sorted(set(settings) - set(SETTINGS)):
        raise ConfigError(
            f"context {context.name!r}: Swarm has no setting {unknown[0]!r}", hint=f"known: {', '.join(SETTINGS)}"
        )
    if "host" in settings and "docker_context" in settings:
        raise ConfigError(f"context {context.name!r}: set host or docker_context, not both")
    return _check(_find(context, settings, environ))


def _find(context: Context, settings: Mapping[str, Any], environ: Mapping[str, str]) -> Target:
    where = f"context {context.name}"
    if host := settings.get("host"):
        files = _tls_files(context, settings.get("tls"))
        return _target(str(host), where, files, tls=bool(settings.get("tls")), environ=environ)
    if name := settings.get("docker_context"):
        return _from_docker_context(str(name), environ)
    if host := environ.get("DOCKER_HOST"):
        tls = bool(environ.get("DOCKER_TLS_VERIFY"))
        folder = Path(environ.get("DOCKER_CERT_PATH") or _docker_folder(environ))
        files = {n: str(folder / f"{n}.pem") for n in _TLS if (folder / f"{n}.pem").exists()} if tls else {}
        return _target(host, "DOCKER_HOST", files, tls=tls, environ=environ)
    name = environ.get("DOCKER_CONTEXT") or _current_docker_context(environ)
    if name and name != "default":
        return _from_docker_context(name, environ)
    return Target(host=DEFAULT_HOST, source="default")


def _tls_files(context: Context, tls: Any) -> dict[str, str]:
    if tls is None or isinstance(tls, bool):
        return {}
    if not isinstance(tls, Mapping) or not set(tls) <= set(_TLS):
        raise ConfigError(f"context {context.name!r}: tls takes {', '.join(_TLS)}")
    files = {name: str(context.base_dir / Path(str(path)).expanduser()) for name, path in tls.items()}
    for name, path in files.items():
        if not Path(path).is_file():
            raise ConfigError(f"context {context.name!r}: tls.{name}: no file {path}")
    return files


def _target(host: str, source: str, files: Mapping[str, str], *, tls: bool, environ: Mapping[str, str]) -> Target:
    if ("cert" in files) != ("key" in files):
        raise ConfigError(f"{source}: a client certificate needs both cert and key")
    # Our own CA wins over the environment's bundle; without one the bundle is what the user means.
    bundle = environ.get("REQUESTS_CA_BUNDLE") or environ.get("CURL_CA_BUNDLE") or True
    cert = (files["cert"], files["key"]) if "cert" in files else None
    return Target(host=host, source=source, tls=tls, verify=files.get("ca", bundle), cert=cert)


def _docker_folder(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def _current_docker_context(environ: Mapping[str, str]) -> str:
    try:
        config = json.loads((_docker_folder(environ) / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    return str(config.get("currentContext", "")) if isinstance(config, dict) else ""


def _from_docker_context(name: str, environ: Mapping[str, str]) -> Target:
    """The docker command line keeps contexts in folders named by the hash of their name."""
    folder = _docker_folder(environ) / "contexts"
    identity = hashlib.sha256(name.encode()).hexdigest()
    try:
        meta = json.loads((folder / "meta" / identity / "meta.json").read_text("utf-8"))
        host = str(meta["Endpoints"]["docker"]["Host"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(
            f"there is no docker context {name!r}", hint="docker context ls shows them; or set host in the context"
        ) from None
    tls = folder / "tls" / identity / "docker"
    files = {n: str(tls / f"{n}.pem") for n in _TLS if (tls / f"{n}.pem").exists()}
    return _target(host, f"docker context {name}", files, tls=bool(files), environ=environ)


def _check(target: Target) -> Target:
    scheme, found, rest = target.host.partition("://")
    if scheme == "ssh":
        raise UsageError(
            f"{target.words}: ssh addresses are not supported",
            hint="forward the socket: ssh -NL ./docker.sock:/var/run/docker.sock HOST, then host = unix://...docker.sock",
        )
    if not found or not rest or scheme not in ("unix", "tcp", "http", "https"):
        raise UsageError(f"{target.words}: not an engine's address", hint="write unix:///PATH or tcp://HOST:PORT")
    return target
