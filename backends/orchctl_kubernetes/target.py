"""Which API server a context means, and the credentials for it: the SDK reads them, we say what is wrong."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchctl.core.context import Context
from orchctl.core.sdk import need
from orchctl.errors import AuthRefused, ConfigError, UsageError

SETTINGS = ("kubeconfig", "kube_context", "in_cluster")
_EXTRA = "kubernetes"
_CONNECTIONS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """``files`` are the kubeconfig files in the order in which they are merged; empty = from inside a pod.
    ``kube_context`` "" = the files' current context."""

    name: str
    files: tuple[str, ...] = ()
    kube_context: str = ""
    protected: bool = False

    @property
    def source(self) -> str:
        if not self.files:
            return "the pod's own ServiceAccount"
        chosen = f"context {self.kube_context} of " if self.kube_context else ""
        return chosen + os.pathsep.join(self.files)


def resolve(context: Context, environ: Mapping[str, str]) -> Target:
    """The context's settings, then KUBECONFIG, then the usual file, then the pod we may be running in."""
    settings = context.settings
    if unknown := sorted(set(settings) - set(SETTINGS)):
        raise ConfigError(
            f"context {context.name!r}: Kubernetes has no setting {unknown[0]!r}", hint=f"known: {', '.join(SETTINGS)}"
        )
    inside = settings.get("in_cluster", False)
    if not isinstance(inside, bool):
        raise ConfigError(f"context {context.name!r}: in_cluster must be true or false")
    if inside and len(settings) > 1:
        raise ConfigError(
            f"context {context.name!r}: in_cluster is the pod's own account, without kubeconfig and kube_context"
        )
    if inside:
        return Target(name=context.name, protected=context.protected)
    files = _files(context, environ)
    if not files and not settings.get("kube_context") and environ.get("KUBERNETES_SERVICE_HOST"):
        return Target(name=context.name, protected=context.protected)
    if not files:
        raise UsageError(
            "there is no kubeconfig: no setting kubeconfig, no KUBECONFIG, no ~/.kube/config, and this is no pod",
            hint='name the file in the context: kubeconfig = "PATH"',
        )
    chosen = str(settings.get("kube_context") or "")
    return Target(name=context.name, files=files, kube_context=chosen, protected=context.protected)


def _files(context: Context, environ: Mapping[str, str]) -> tuple[str, ...]:
    if given := context.settings.get("kubeconfig"):
        path = context.base_dir / Path(str(given)).expanduser()
        if not path.is_file():
            raise ConfigError(f"context {context.name!r}: kubeconfig: no file {path}")
        return (str(path),)
    if several := environ.get("KUBECONFIG"):
        found = tuple(p for p in several.split(os.pathsep) if p and Path(p).is_file())
        if not found:
            raise UsageError(f"KUBECONFIG names no file that exists: {several}")
        return found
    usual = Path(environ.get("HOME") or "/") / ".kube" / "config"
    return (str(usual),) if usual.is_file() else ()


def configuration(target: Target) -> Any:
    """The SDK's Configuration of ``target``: address, TLS, and a hook that renews tokens.

    Exec plugins run here, with the terminal theirs if they want to ask something.
    """
    loader = need("kubernetes.config.kube_config", extra=_EXTRA)
    inside = need("kubernetes.config.incluster_config", extra=_EXTRA)
    failed = need("kubernetes.config.config_exception", extra=_EXTRA).ConfigException
    found = need("kubernetes.client.configuration", extra=_EXTRA).Configuration()
    found.connection_pool_maxsize = _CONNECTIONS
    acted_as: list[str] = []
    with _plugin_words() as words:
        try:
            if target.files:
                files = os.pathsep.join(target.files)
                chosen = target.kube_context or None
                loader.load_kube_config(config_file=files, context=chosen, client_configuration=found)
                acted_as = _acted_as(loader, files, chosen)
            else:
                inside.load_incluster_config(client_configuration=found)
        except failed as error:
            raise _explained(target, str(error)) from None
        except Exception as error:  # the SDK lets out whatever its YAML, base64 and file readers raise
            raise ConfigError(f"{target.source}: cannot be read: {_short(error)}") from error
    if acted_as:
        raise ConfigError(
            f"{target.source}: the user of the context acts as somebody else ({', '.join(acted_as)}), which orchctl cannot",
            hint="name a user that has the rights itself, such as one with the token of a ServiceAccount",
        )
    if words and not (found.api_key or found.cert_file):
        raise AuthRefused(f"{target.source}: the credential plugin failed: {words[-1]}")
    if not found.verify_ssl and target.protected:
        raise UsageError(
            f"{target.source} switches TLS verification off, and context {target.name!r} is protected",
            hint="give the cluster's certificate-authority in the kubeconfig",
        )
    return found


def _acted_as(loader: Any, files: str, chosen: str | None) -> list[str]:
    """``as``, ``as-groups`` and the like of the user: the SDK leaves them out without a word, and everything would be done
    with other rights than were asked for."""
    merged = loader.KubeConfigMerger(files).config
    context = merged["contexts"].get_with_name(chosen or merged["current-context"])["context"]
    user = merged["users"].get_with_name(context["user"])["user"] if "user" in context else {}
    return [str(key) for key in getattr(user, "value", user) or () if str(key).partition("-")[0] == "as"]


def _explained(target: Target, text: str) -> ConfigError:
    hint = "kubectl config get-contexts shows what there is"
    if target.kube_context and "context" in text:
        return ConfigError(f"{target.source}: there is no usable context of that name ({text})", hint=hint)
    return ConfigError(f"{target.source}: {text}", hint=hint)


def _short(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]


class _Words(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(" ".join(record.getMessage().split())[:300])


@contextmanager
def _plugin_words() -> Iterator[list[str]]:
    """The SDK does not raise when an exec plugin fails: it logs on the root logger and goes on without credentials."""
    handler, root = _Words(), logging.getLogger()
    root.addHandler(handler)
    try:
        yield handler.found
    finally:
        root.removeHandler(handler)
