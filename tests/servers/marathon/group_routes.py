"""``/v2/groups``: trees of apps at once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.servers.marathon import app_routes, views
from tests.servers.marathon.definition import path_of
from tests.servers.marathon.deploying import deploy, plan_for, refuse, with_app
from tests.servers.marathon.errors import Refused, detail, invalid_json, no_group
from tests.servers.marathon.messages import Request, Response, answer
from tests.servers.marathon.store import Root, is_below

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine


def show(engine: Engine, request: Request, path: str) -> Response:
    _check(engine, path)
    embeds = views.embeds_of(request.values("embed"), ("group.",))
    return answer(views.group_info(engine, path, embeds))


def apps(engine: Engine, request: Request, path: str) -> Response:
    _check(engine, path)
    embeds = views.LISTED | views.embeds_of(request.values("embed"))
    below = engine.store.root.below(path).values()
    return answer({"apps": [views.app_info(engine, one, embeds) for one in below]})


def versions(engine: Engine, request: Request, path: str) -> Response:
    _check(engine, path)
    return answer(sorted(engine.store.group_versions.get(path, []), key=lambda one: one[::-1]))


def _check(engine: Engine, path: str) -> None:
    if path not in engine.store.root.all_groups():
        raise no_group(path)


def create(engine: Engine, request: Request, path: str = "/") -> Response:
    body = request.json()
    name = path_of(str(body.get("id", "")) if isinstance(body, dict) else "", path)
    if name in engine.store.root.all_groups() - {"/"}:
        raise Refused(409, {"message": f"Group {name} is already created. Use PUT to change this group."})
    if name in engine.store.root.apps:
        raise Refused(409, {"message": f"An app with the path {name} already exists."})
    return _update(engine, request, name, body, 201, Location=request.base + name)


def put(engine: Engine, request: Request, path: str = "/") -> Response:
    body = request.json()
    is_new = path not in engine.store.root.all_groups()
    if request.flag("dryRun"):
        return answer({"steps": plan_for(engine, _target(engine, path, body)).shown()})
    headers = {"Location": request.base + path} if is_new else {}
    return _update(engine, request, path, body, 201 if is_new else 200, **headers)


def _update(engine: Engine, request: Request, path: str, body: Any, status: int, **headers: str) -> Response:
    target = _target(engine, path, body)
    # Refused ones too (09-groups/581).
    engine.store.group_versions.setdefault(path, []).append(target.version)
    plan = deploy(engine, target, force=request.flag("force"))
    return app_routes.accepted(plan, status, **headers)


def _target(engine: Engine, path: str, body: Any) -> Root:
    if not isinstance(body, dict):
        raise invalid_json([detail("", "error.expected.jsobject")])
    target = engine.store.root.copy()
    target.version = engine.clock.version()
    if "scaleBy" in body:
        _scale(engine, target, path, float(body["scaleBy"]))
    else:
        _merge(engine, target, path, body, "")
    return target


def _scale(engine: Engine, target: Root, path: str, factor: float) -> None:
    for release in target.below(path).values():
        scaled = release.app | {"instances": int(-(-release.instances * factor // 1))}
        with_app(engine, target, scaled, target.version)


def _merge(engine: Engine, target: Root, path: str, body: Mapping[str, Any], where: str) -> None:
    """A given list of apps or groups replaces what is there, an absent one leaves it."""
    target.groups[path] = tuple(path_of(one, path) for one in body.get("dependencies") or ())
    if body.get("apps") is not None:
        _merge_apps(engine, target, path, body["apps"], f"{where}/apps")
    if body.get("groups") is None:
        return
    names = {path_of(str(one.get("id", "")), path) for one in body["groups"]}
    for gone in [one for one in views.children(target.all_groups(), path) if one not in names]:
        _remove(target, gone)
    for position, inner in enumerate(body["groups"]):
        _merge(engine, target, path_of(str(inner.get("id", "")), path), inner, f"{where}/groups({position})")


def _merge_apps(engine: Engine, target: Root, path: str, bodies: list[Any], where: str) -> None:
    named = []
    for position, one in enumerate(bodies):
        app = app_routes.read(engine, one, path=f"{where}({position})")
        app["id"] = path_of(app["id"], path)
        named.append(app)
    kept = {app["id"] for app in named}
    for gone in [one for one in views.children(target.apps, path) if one not in kept]:
        del target.apps[gone]
    for app in named:
        with_app(engine, target, app_routes.completed(engine, app), target.version)


def _remove(target: Root, group: str) -> None:
    for path in list(target.below(group)):
        del target.apps[path]
    for path in [one for one in target.groups if one == group or is_below(one, group)]:
        del target.groups[path]


def delete(engine: Engine, request: Request, path: str = "/") -> Response:
    if path not in engine.store.root.all_groups():
        missing = no_group(path)
        refuse(engine, engine.clock.version(), missing)
        raise missing
    target = engine.store.root.copy()
    target.version = engine.clock.version()
    _remove(target, path)
    engine.store.group_versions.pop(path, None)
    return app_routes.accepted(deploy(engine, target, force=request.flag("force")))
