"""Which URL means what; everything but apps and groups is answered here."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.servers.marathon import app_routes, group_routes, rollout, views
from tests.servers.marathon.deploying import deploy, reverted
from tests.servers.marathon.errors import Refused
from tests.servers.marathon.messages import Request, Response, answer, plain

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

Handler = Callable[..., Response]

_READ_AS_JSON = ("POST", "PUT", "PATCH")


def tasks(engine: Engine, request: Request) -> Response:
    if request.headers.get("accept") == "text/plain":
        return plain(views.task_table(engine, engine.store.root.apps.values()))
    return answer(views.all_tasks(engine, request.values("status")))


def delete_tasks(engine: Engine, request: Request) -> Response:
    body = request.json()
    ids = set(body.get("ids", [])) if isinstance(body, dict) else set()
    found = [one for one in engine.instances.values() if one.task and one.task.id in ids]
    return app_routes.kill(engine, request, found)


def queue(engine: Engine, request: Request) -> Response:
    return answer(views.queue(engine, request.values("embed")))


def reset_delay(engine: Engine, request: Request, path: str) -> Response:
    if path not in (config[0] for config in engine.waiting()):
        raise Refused(404, {"message": f"Application {path} not found in tasks queue."})
    engine.reset_delay(path)
    engine.wake()
    return Response(204)


def deployments(engine: Engine, request: Request) -> Response:
    return answer([one.shown() for one in engine.rollouts])


def delete_deployment(engine: Engine, request: Request, wanted: str) -> Response:
    """The way back is a deployment of its own; ``force=true`` only stops this one where it is."""
    found = next((one for one in engine.rollouts if one.id == wanted), None)
    if found is None:
        raise Refused(404, {"message": f"DeploymentPlan {wanted} does not exist"})
    if request.flag("force"):
        rollout.cancel(engine, found)
        return Response(202)
    return app_routes.accepted(deploy(engine, reverted(engine, found.plan), force=True))


def ping(engine: Engine, request: Request) -> Response:
    return answer("pong") if request.accepts("application/json") else plain("pong")


def plugins(engine: Engine, request: Request) -> Response:
    return answer({"plugins": []})


def metrics(engine: Engine, request: Request) -> Response:
    return answer(
        {"version": "4.0.0", "counters": {}, "gauges": _gauges(engine), "histograms": {}, "meters": {}, "timers": {}}
    )


def prometheus(engine: Engine, request: Request) -> Response:
    lines = (f"# TYPE {_flat(name)} gauge\n{_flat(name)} {one['value']}\n" for name, one in _gauges(engine).items())
    return plain("\n".join(lines))


def _flat(name: str) -> str:
    return re.sub(r"[.-]", "_", name)


def _gauges(engine: Engine) -> dict[str, Any]:
    running = sum(one.task is not None and one.task.is_running for one in engine.instances.values())
    numbers = {
        "marathon.apps.active.gauge": len(engine.store.root.apps),
        "marathon.deployments.active.gauge": len(engine.rollouts),
        "marathon.groups.active.gauge": len(engine.store.root.all_groups()),
        "marathon.instances.running.gauge": running,
    }
    return {name: {"value": value} for name, value in numbers.items()}


_APP, _GROUP = r"/v2/apps/+(?P<path>.+?)", r"/v2/groups/+(?P<path>.+?)"

TABLE: tuple[tuple[str, str, Handler], ...] = (
    ("GET", r"/v2/apps/?", app_routes.index),
    ("POST", r"/v2/apps/?", app_routes.create),
    ("PUT", r"/v2/apps/?", app_routes.put_many),
    ("PATCH", r"/v2/apps/?", app_routes.patch_many),
    ("GET", rf"{_APP}/versions", app_routes.versions),
    ("GET", rf"{_APP}/versions/(?P<wanted>[^/]+)", app_routes.version),
    ("GET", rf"{_APP}/tasks", app_routes.tasks),
    ("DELETE", rf"{_APP}/tasks", app_routes.kill_all),
    ("DELETE", rf"{_APP}/tasks/(?P<task>[^/]+)", app_routes.kill_one),
    ("POST", rf"{_APP}/restart", app_routes.restart),
    ("GET", _APP, app_routes.show),
    ("PUT", _APP, app_routes.put),
    ("PATCH", _APP, app_routes.patch),
    ("DELETE", _APP, app_routes.delete),
    ("GET", r"/v2/groups/?(?P<path>)", group_routes.show),
    ("POST", r"/v2/groups/?", group_routes.create),
    ("PUT", r"/v2/groups/?", group_routes.put),
    ("DELETE", r"/v2/groups/?", group_routes.delete),
    ("GET", rf"{_GROUP}/versions", group_routes.versions),
    ("GET", rf"{_GROUP}/apps", group_routes.apps),
    ("GET", _GROUP, group_routes.show),
    ("POST", _GROUP, group_routes.create),
    ("PUT", _GROUP, group_routes.put),
    ("DELETE", _GROUP, group_routes.delete),
    ("GET", r"/v2/tasks/?", tasks),
    ("POST", r"/v2/tasks/delete", delete_tasks),
    ("GET", r"/v2/queue/?", queue),
    ("DELETE", r"/v2/queue/+(?P<path>.+)/delay", reset_delay),
    ("GET", r"/v2/deployments/?", deployments),
    ("DELETE", r"/v2/deployments/(?P<wanted>[^/]+)", delete_deployment),
    ("GET", r"/v2/plugins", plugins),
    ("GET", r"/ping", ping),
    ("GET", r"/metrics", metrics),
    ("GET", r"/metrics/prometheus", prometheus),
)
_COMPILED = [(method, re.compile(pattern), handler) for method, pattern, handler in TABLE]


def respond(engine: Engine, request: Request) -> Response:
    """Raises Refused; an unknown URL is 500, as in 1.6 and later."""
    if request.path == "/":
        return Response(302, headers={"Location": f"{request.base}/ui/"})
    kind = request.headers.get("content-type", "application/json")
    known = False
    for method, pattern, handler in _COMPILED:
        found = pattern.fullmatch(request.path)
        known = known or found is not None
        if found is None or method != request.method:
            continue
        if method in _READ_AS_JSON and request.body and "json" not in kind:
            raise Refused(415, {"message": "Unsupported Media Type"})
        parts = found.groupdict()
        if "path" in parts:
            parts["path"] = "/" + (parts["path"] or "").strip("/")
        return handler(engine, request, **parts)
    if known:
        raise Refused(405, {"message": "Method Not Allowed"})
    status = 500 if engine.options.numbers >= (1, 6) else 404
    raise Refused(status, {"message": "URI not found"})
