"""``/v2/apps``: create, read, change, delete, versions, restart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.servers.marathon import clock, updates, views
from tests.servers.marathon.definition import App, complete, modern, path_of
from tests.servers.marathon.deploying import deploy, refuse, with_app
from tests.servers.marathon.errors import Refused, detail, invalid_json, invalid_object, no_app, no_task
from tests.servers.marathon.filters import selected
from tests.servers.marathon.instances import Instance, shown_task
from tests.servers.marathon.messages import Request, Response, answer, plain
from tests.servers.marathon.plan import Plan
from tests.servers.marathon.rules import problems
from tests.servers.marathon.schema import app_problems, is_path, table_of
from tests.servers.marathon.store import Release, Root, is_below

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine


def accepted(plan: Plan, status: int = 200, **headers: str) -> Response:
    body = {"version": plan.version, "deploymentId": plan.id}
    return answer(body, status, Marathon_Deployment_Id=plan.id, **headers)


def read(engine: Engine, body: Any, *, path: str = "", update: bool = False) -> App:
    """``body`` as an app of this server's version, old spellings made new; raises 422."""
    table = table_of(engine.options.numbers)
    if found := app_problems(body, table, path=path, update=update):
        raise invalid_json(found)
    known = table.keys() | {"version"}
    return modern({key: value for key, value in body.items() if key in known}) if isinstance(body, dict) else {}


def completed(engine: Engine, app: App, *, default_ports: bool = True, default_role: bool = True) -> App:
    """With defaults, checked by the rules between fields; raises 422 or, for one of them, 500."""
    if any(one.get("protocol") == "COMMAND" and "command" not in one for one in app.get("healthChecks", [])):
        raise Refused(500, {"message": "illegal protocol COMMAND for non-command health check"})
    role = {"role": engine.options.role} if engine.options.numbers >= (1, 9) and default_role else {}
    based = {**role, **app, "dependencies": [path_of_dependency(one, app["id"]) for one in app.get("dependencies", [])]}
    full = complete(based, default_ports=default_ports)
    if found := problems(full, engine.options.features):
        raise invalid_object(found)
    return full


def path_of_dependency(name: str, app: str) -> str:
    """Relative ones are siblings; a malformed one is left to be refused."""
    return path_of(name, app.rsplit("/", 1)[0] or "/") if is_path(name) else name


def release_of(engine: Engine, path: str) -> Release:
    release = engine.store.root.apps.get(path)
    if release is None:
        raise no_app(path)
    return release


def index(engine: Engine, request: Request) -> Response:
    if request.headers.get("accept") == "text/plain":
        raise Refused(406, {"message": "Not Acceptable"})
    embeds = views.LISTED | views.embeds_of(request.values("embed"))
    found = selected(list(engine.store.root.apps.values()), request.query)
    return answer({"apps": [views.app_info(engine, one, embeds) for one in found]})


def show(engine: Engine, request: Request, path: str) -> Response:
    embeds = views.embeds_of(request.values("embed"))
    if path.endswith("*"):
        group = path.removesuffix("*").rstrip("/") or "/"
        found = [one for one in engine.store.root.apps.values() if is_below(one.path, group)]
        listed = views.LISTED | {"tasks"} | embeds
        return answer({"*": [views.app_info(engine, one, listed) for one in found]})
    return answer({"app": views.app_info(engine, release_of(engine, path), views.SINGLE | embeds)})


def create(engine: Engine, request: Request) -> Response:
    app = read(engine, request.json())
    app["id"] = path_of(app["id"])
    full = completed(engine, app)
    version = engine.clock.version()
    if app["id"] in engine.store.root.apps:
        exists = Refused(409, {"message": f"An app with id [{app['id']}] already exists."})
        refuse(engine, version, exists)
        raise exists
    target = engine.store.root.copy()
    with_app(engine, target, full, version)
    plan = deploy(engine, target, force=request.flag("force"))
    echo = Release(full, version, version, version)
    publish_post(engine, request, echo.shown(info=False))
    body = views.created(engine, echo, plan.id)
    return answer(body, 201, Location=request.base + app["id"], Marathon_Deployment_Id=plan.id)


def publish_post(engine: Engine, request: Request, app: Mapping[str, Any]) -> None:
    uri = request.target.partition("?")[0]
    engine.events.publish("api_post_event", clientIp=request.client, uri=uri, appDefinition=app)


def _change(engine: Engine, target: Root, path: str, body: App, *, partial: bool, default_ports: bool = True) -> App:
    """The definition that ``body`` makes of the app at ``path``, put into ``target``; "version" means going back."""
    current = target.apps.get(path)
    if "version" in body:
        if set(body) - {"id", "version"}:
            text = "The 'version' field may only be combined with the 'id' field."
            raise invalid_object([detail("/", text)])
        app = _kept(engine, path, body["version"]).app
    else:
        base = current.app if current and partial else {}
        app = completed(engine, {**base, **body, "id": path}, default_ports=default_ports)
    with_app(engine, target, app, target.version)
    return app


def _kept(engine: Engine, path: str, version: str) -> Release:
    kept = engine.store.versions(path).get(version)
    if kept is None:
        raise no_app(path)
    return kept


def _fresh(engine: Engine) -> Root:
    target = engine.store.root.copy()
    target.version = engine.clock.version()
    return target


def put(engine: Engine, request: Request, path: str) -> Response:
    return _put(engine, request, path, partial=request.flag("partialUpdate", default=True))


def patch(engine: Engine, request: Request, path: str) -> Response:
    """Like a partial PUT, but creates nothing."""
    return _put(engine, request, path, partial=True, may_create=False)


def _put(engine: Engine, request: Request, path: str, *, partial: bool, may_create: bool = True) -> Response:
    body = read(engine, request.json(), update=True)
    if not is_path(path):
        raise invalid_json([detail("/id", "error.pattern")])
    is_new, target = path not in engine.store.root.apps, _fresh(engine)
    _change(engine, target, path, body, partial=partial)
    if is_new and not may_create:
        raise no_app(path)
    plan = deploy(engine, target, force=request.flag("force"))
    publish_post(engine, request, target.apps[path].shown())
    return accepted(plan, 201, Location=request.base + path) if is_new else accepted(plan)


def put_many(engine: Engine, request: Request) -> Response:
    return _many(engine, request, partial=request.flag("partialUpdate", default=True))


def patch_many(engine: Engine, request: Request) -> Response:
    return _many(engine, request, partial=True)


def _many(engine: Engine, request: Request, *, partial: bool) -> Response:
    bodies = request.json()
    if not isinstance(bodies, list):
        raise invalid_json([detail("", "error.expected.jsarray")])
    target = _fresh(engine)
    for position, one in enumerate(bodies):
        body = read(engine, one, path=f"({position})", update=True)
        _change(engine, target, path_of(body.get("id", "")), body, partial=partial, default_ports=False)
    plan = deploy(engine, target, force=request.flag("force"))
    for one in bodies:
        publish_post(engine, request, target.apps[path_of(one["id"])].shown())
    return accepted(plan)


def delete(engine: Engine, request: Request, path: str) -> Response:
    """``force`` is true unless it is said to be false."""
    release_of_or_fail(engine, path)
    target = _fresh(engine)
    del target.apps[path]
    return accepted(deploy(engine, target, force=request.flag("force", default=True)))


def release_of_or_fail(engine: Engine, path: str) -> None:
    if path not in engine.store.root.apps:
        missing = no_app(path)
        refuse(engine, engine.clock.version(), missing)
        raise missing


def restart(engine: Engine, request: Request, path: str) -> Response:
    release = release_of(engine, path)
    target = _fresh(engine)
    with_app(engine, target, release.app, target.version, restart=True)
    return accepted(deploy(engine, target, force=request.flag("force")))


def versions(engine: Engine, request: Request, path: str) -> Response:
    release_of(engine, path)
    # The real one lists them in no order at all; the reverse of the ids' hash is as good as any.
    return answer({"versions": sorted(engine.store.versions(path), key=lambda one: one[::-1])})


def version(engine: Engine, request: Request, path: str, wanted: str) -> Response:
    try:
        clock.seconds(wanted)
    except ValueError:
        text = f"Invalid timestamp provided '{wanted}'. Expecting ISO-8601 datetime string."
        raise Refused(422, {"message": text}) from None
    kept = engine.store.versions(path).get(wanted)
    if kept is None:
        raise no_app(path, wanted)
    return answer(kept.shown())


def tasks(engine: Engine, request: Request, path: str) -> Response:
    release = release_of(engine, path)
    if request.headers.get("accept") == "text/plain":
        return plain(views.task_table(engine, [release]))
    found = views.tasks_of(engine, path)
    return answer({"tasks": [shown_task(one, with_service_ports=False) for one in found]})


def kill_all(engine: Engine, request: Request, path: str) -> Response:
    release_of(engine, path)
    hosts = request.values("host")
    found = [one for one in views.tasks_of(engine, path) if one.task and (not hosts or one.task.agent.host in hosts)]
    return kill(engine, request, found)


def kill_one(engine: Engine, request: Request, path: str, task: str) -> Response:
    release_of(engine, path)
    found = next((one for one in views.tasks_of(engine, path) if one.task and one.task.id == task), None)
    if found is None:
        raise no_task(task)
    shown = shown_task(found, with_service_ports=False)
    response = kill(engine, request, [found])
    return response if request.flag("scale") else answer({"task": shown})


def kill(engine: Engine, request: Request, found: list[Instance]) -> Response:
    """With ``scale`` the definitions shrink by as many; else the tasks are launched again."""
    if request.flag("scale"):
        return _kill_and_scale(engine, request, found)
    shown = [shown_task(one, with_service_ports=False) for one in found]
    for one in found:
        one.is_doomed = one.is_doomed or request.flag("wipe")
        updates.kill(engine, one)
    return answer({"tasks": shown})


def _kill_and_scale(engine: Engine, request: Request, found: list[Instance]) -> Response:
    target, chosen = _fresh(engine), {one.path: [each.id for each in found if each.path == one.path] for one in found}
    for path, ids in chosen.items():
        app = engine.store.root.apps[path].app
        with_app(engine, target, app | {"instances": max(0, app["instances"] - len(ids))}, target.version)
    return accepted(deploy(engine, target, force=request.flag("force"), kill=chosen))
