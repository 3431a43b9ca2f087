"""What no single field can show: fields that exclude each other, and names that refer to something."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from orchctl.spec import models
from orchctl.spec.codes import Code
from orchctl.spec.explain import locate
from orchctl.spec.fieldtypes import PROVIDERS
from orchctl.spec.nodes import Mapping, Origin
from orchctl.spec.problems import Problems, did_you_mean, excerpt


class _Report:
    """Adds problems at a path of the service's tree."""

    def __init__(self, root: Mapping, problems: Problems) -> None:
        self._root = root
        self._problems = problems

    def add(self, code: Code, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        self._problems.add(code, message, self.origin(path), hint=hint)

    def origin(self, path: tuple[str | int, ...]) -> Origin:
        return locate(self._root, path)[1]


def check(service: models.Service, root: Mapping, known_backends: Collection[str], problems: Problems) -> None:
    """Add everything about ``service`` that contradicts itself."""
    report = _Report(root, problems)
    for rule in _RULES:
        rule(service, report)
    for name in service.backends:
        if name not in known_backends:
            hint = did_you_mean(name, known_backends) or f"known: {', '.join(sorted(known_backends))}"
            problems.add(
                Code.UNKNOWN_BACKEND,
                f"there is no backend {excerpt(name)}",
                locate(root, ("backends", name))[1],
                hint=hint,
            )


def _runs(service: models.Service, report: _Report) -> None:
    if not (service.image or service.command or service.backends.get("local", {}).get("command")):
        report.add(
            Code.MISSING_FIELD,
            ("name",),
            f"service {service.name!r} has nothing to run",
            "give it an image, a command, or backends: {local: {command: [...]}}",
        )
    if service.args and not (service.image or service.command):
        report.add(Code.CONTRADICTION, ("args",), "args need an image or a command", "put them into the command")


def _count(service: models.Service, report: _Report) -> None:
    if service.scale is None:
        return
    if service.replicas is not None:
        report.add(Code.CONTRADICTION, ("replicas",), "replicas and scale exclude each other", "remove one of them")
    if service.scale.min > service.scale.max:
        message = f"scale.min {service.scale.min} is more than scale.max {service.scale.max}"
        report.add(Code.CONTRADICTION, ("scale", "min"), message)


def _ports(service: models.Service, report: _Report) -> None:
    seen: dict[tuple[str, Any], str] = {}
    for index, port in enumerate(service.ports):
        protocol = port.protocol or "tcp"
        claims: list[tuple[tuple[str, Any], str]] = [
            (("name", port.name), f"the port name {port.name!r}"),
            (("port", (port.port, protocol)), f"port {port.port}/{protocol}"),
        ]
        if port.published is not None:
            claims.append(
                (("published", (port.published, protocol)), f"the published port {port.published}/{protocol}")
            )
            if port.expose in (None, "internal"):
                message = f"port {port.name!r} is published, but only exposed inside"
                report.add(
                    Code.CONTRADICTION, ("ports", index, "published"), message, "add expose: host, cluster or external"
                )
        for claim, what in claims:
            if claim in seen:
                place = report.origin(("ports", int(seen[claim]), claim[0]))
                message = f"{what} stands twice; first in line {place.line}"
                report.add(Code.NOT_UNIQUE, ("ports", index, claim[0]), message)
            seen.setdefault(claim, str(index))


def _port_variables(service: models.Service, report: _Report) -> None:
    taken = {f"PORT_{port.name.upper().replace('-', '_')}" for port in service.ports}
    for name in service.env:
        if name in taken or (name == "PORT" and service.ports):
            report.add(
                Code.CONTRADICTION, ("env", name), f"{name} is set by orchctl for the declared ports", "rename it"
            )


def _secrets(service: models.Service, report: _Report) -> None:
    references = [(("env", k), v.secret, v.key) for k, v in service.env.items() if isinstance(v, models.Secret)]
    references += [(("files", k), v.secret, v.key) for k, v in service.files.items() if v.secret is not None]
    for path, secret, key in references:
        if key and secret.partition(":")[0] in PROVIDERS and ":" in secret:
            message = "key is for secrets of the backend's own store; a provider gives one value"
            report.add(Code.CONTRADICTION, (*path, "key"), message, "let the provider print only that entry")


def _files(service: models.Service, report: _Report) -> None:
    for path, file in service.files.items():
        _exactly_one(report, ("files", path), source=file.source, content=file.content, secret=file.secret)
        if file.key and file.secret is None:
            report.add(Code.CONTRADICTION, ("files", path, "key"), "key belongs to a secret")
        for other in (*service.files, *service.volumes):
            if path.startswith(other + "/") and other in service.files:
                report.add(Code.CONTRADICTION, ("files", path), f"{path} lies below the file {other}")
        if path in service.volumes:
            report.add(Code.CONTRADICTION, ("files", path), f"{path} is a volume, too")


def _volumes(service: models.Service, report: _Report) -> None:
    for path, volume in service.volumes.items():
        _exactly_one(report, ("volumes", path), name=volume.name, tmpfs=volume.tmpfs, host=volume.host)
        if volume.size is not None and volume.name is None:
            hint = "write tmpfs: 64Mi" if volume.tmpfs is not None else ""
            report.add(Code.CONTRADICTION, ("volumes", path, "size"), "size belongs to a named volume", hint)


def _resources(service: models.Service, report: _Report) -> None:
    resources = service.resources
    if resources is None or resources.limits is None:
        return
    for name in ("cpu", "memory"):
        wanted, most = getattr(resources, name), getattr(resources.limits, name)
        if wanted is not None and most is not None and most < wanted:
            message = f"the {name} limit is less than what is reserved"
            report.add(Code.CONTRADICTION, ("resources", "limits", name), message)


def _health(service: models.Service, report: _Report) -> None:
    if service.health is None:
        return
    names = [port.name for port in service.ports]
    for which in ("ready", "live"):
        probe: models.Probe | None = getattr(service.health, which)
        if probe is None:
            continue
        path = ("health", which)
        _exactly_one(report, path, http=probe.http, tcp=probe.tcp, exec=probe.exec, grpc=probe.grpc)
        for kind, target in (("http", probe.http), ("tcp", probe.tcp), ("grpc", probe.grpc)):
            if target is not None and target.port not in names:
                hint = did_you_mean(target.port, names) or (
                    f"declared: {', '.join(names)}" if names else "declare ports"
                )
                report.add(Code.DANGLING, (*path, kind, "port"), f"no port is named {target.port!r}", hint)
            elif target is not None and _protocol(service, target.port) != "tcp":
                report.add(Code.CONTRADICTION, (*path, kind, "port"), f"port {target.port!r} is not a tcp port")


def _protocol(service: models.Service, name: str) -> str:
    return next(port.protocol or "tcp" for port in service.ports if port.name == name)


def _rollout(service: models.Service, report: _Report) -> None:
    rollout = service.rollout
    if rollout is None:
        return
    stated = [f for f in ("max_surge", "max_unavailable") if getattr(rollout, f) is not None]
    if rollout.strategy == "recreate":
        for name in stated:
            report.add(
                Code.CONTRADICTION, ("rollout", name), f"{name} has no meaning with strategy: recreate", "remove it"
            )
    elif rollout.max_surge in (0, "0%") and rollout.max_unavailable in (None, 0, "0%"):
        message = "max_surge and max_unavailable are both 0: no instance could ever be replaced"
        report.add(Code.CONTRADICTION, ("rollout", "max_surge"), message, "set one of them to 1")


def _placement(service: models.Service, report: _Report) -> None:
    for index, rule in enumerate(service.placement.require if service.placement else ()):
        values: dict[str, Any] = {"in": rule.in_, "not_in": rule.not_in, "exists": rule.exists}
        _exactly_one(report, ("placement", "require", index), **values)


def _needs(service: models.Service, report: _Report) -> None:
    if service.name in service.needs:
        report.add(Code.CONTRADICTION, ("needs", service.name), f"{service.name} needs itself")


def _allow(service: models.Service, report: _Report) -> None:
    allowed = service.allow or ()
    for index, name in enumerate(allowed):
        if name in allowed[:index]:
            report.add(Code.NOT_UNIQUE, ("allow", index), f"{name!r} is allowed twice", "remove one of them")


def _exactly_one(report: _Report, path: tuple[str | int, ...], **values: Any) -> None:
    given = [name for name, value in values.items() if value is not None]
    if len(given) == 1:
        return
    what = ", ".join(values)
    if given:
        second = max(given, key=lambda name: report.origin((*path, name))[1:])
        message = f"{' and '.join(given)} exclude each other"
        report.add(Code.CONTRADICTION, (*path, second), message, f"give one of {what}")
    else:
        report.add(Code.MISSING_FIELD, path, f"one of {what} is needed here")


_RULES: tuple[Callable[[models.Service, _Report], None], ...] = (
    _runs,
    _count,
    _ports,
    _port_variables,
    _secrets,
    _files,
    _volumes,
    _resources,
    _health,
    _rollout,
    _placement,
    _needs,
    _allow,
)
