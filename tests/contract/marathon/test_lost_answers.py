"""Writes whose answer is lost or means nothing, and answers that nobody foresaw: looked at, told, and not repeated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.errors import OrchctlError
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from tests.contract.kills import Shell
from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front, Strike, always, once
from tests.servers.marathon.messages import Request, Response, answer
from tests.servers.marathon.proxy import proxied
from tests.servers.marathon.web import Dropped
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
command: [sleep, "3600"]
replicas: 1
"""


@pytest.fixture
def world(server: Marathon, front: Front, tmp_path: Path) -> Iterator[MarathonWorld]:
    front._behind = server.url
    world = MarathonWorld(server, front.url, "", tmp_path)
    world.clean()
    yield world
    front.strike = lambda _request: None
    world.clean()


LOST: dict[str, Response | None] = {
    "no answer": None,
    "an empty answer": Response(200, b"", "application/json"),
    "a page": Response(200, b"<html>It works!</html>", "text/html"),
    "half an answer": Response(200, b'{"version": "2026', "application/json"),
    "another object": answer({}),
    "a 500": Response(500, b"<h1>Server Error</h1>", "text/html"),
    "a 502": Response(502, b"<h1>Bad Gateway</h1>", "text/html"),
}


def struck(front: Front, what: str, *, arrives: bool) -> Strike:
    def strike(request: Request) -> Response:
        if arrives:
            proxied(request, front._behind)
        if (found := LOST[what]) is None:
            raise Dropped
        return found

    return strike


WRITES: dict[str, tuple[str, str]] = {
    "create": ("POST", "/v2/apps"),
    "update": ("PUT", "/v2/apps/test/web"),
    "scale": ("PATCH", "/v2/apps/test/web"),
    "delete": ("DELETE", "/v2/apps/test/web"),
}
KINDS = [(w, k, a) for w in WRITES for k in LOST for a in (True, False) if a or k in ("no answer", "a 502")]


@pytest.mark.parametrize(
    ("write", "what", "arrives"), [k for k in KINDS if k[0] == "update" or k[1] in ("no answer", "a page")]
)
def test_a_write_without_a_readable_answer_is_looked_at_and_not_repeated(
    world: MarathonWorld, front: Front, write: str, what: str, arrives: bool
) -> None:
    method, path = WRITES[write]
    simple = world.service(greeting="one").sized(1)
    driver = Driver(world)
    if write != "create":
        driver.deploy(simple)
    seen = len(front.seen)
    front.strike = once(struck(front, what, arrives=arrives), method=method, path=path)
    if write == "create":  # the first POST is that of the lease
        front.strike = _at_app(front.strike)
    outcome = {
        "create": lambda: driver.deploy(simple),
        "update": lambda: driver.deploy(world.service(greeting="two").sized(1)),
        "scale": lambda: driver.scale("web", "2"),
        "delete": lambda: driver.delete("web"),
    }[write]()
    assert outcome.exit_code == 0
    sent = [r for r in front.seen[seen:] if _is_of_app(r) and r.method == method]
    assert len(sent) == (1 if arrives else 2)
    if write == "delete":
        assert world.truth("web").leftovers == ()
    else:
        expected = {"create": ["one"], "update": ["two"], "scale": ["one", "one"]}[write]
        assert greetings(world.truth("web")) == expected


def _is_of_app(request: Request) -> bool:
    if request.method == "POST":
        return request.path == "/v2/apps" and json.loads(request.body)["id"] == "/test/web"
    return request.path == "/v2/apps/test/web"


def _at_app(strike: Strike) -> Strike:
    return lambda request: strike(request) if _is_of_app(request) else None


def test_a_refused_app_shows_every_detail_and_leaves_no_unfinished_record(world: MarathonWorld, front: Front) -> None:
    details = [{"path": "/cpus", "errors": ["error.min"]}, {"path": "/id", "errors": ["must be x"]}]
    refusal = always(answer({"message": "Object is not valid", "details": details}, 422))
    front.strike = _at_app(once(refusal, method="POST"))
    driver = Driver(world)
    with pytest.raises(OrchctlError, match=r"Object is not valid: /cpus: error\.min; /id: must be x") as caught:
        driver.deploy(world.service())
    assert caught.value.exit_code == 2
    assert [str(r.status) for r in driver.history("web")] == ["failed"]
    assert driver.deploy(world.service()).state is OutcomeState.CONVERGED


# The same through the command line: exit codes and texts.

TEXTS: dict[str, tuple[Response, int, str]] = {
    "a 302 elsewhere": (Response(302, headers={"Location": "http://192.0.2.1/v2/apps"}), 9, "192.0.2.1"),
    "an empty 200": (Response(200, b"", "application/json"), 9, "not what Marathon says there"),
    "a page": (Response(200, b"<html>\x1b[31mhi</html>", "text/html"), 9, "is this address a Marathon?"),
    "truncated JSON": (Response(200, b'{"app": {"id": "/def', "application/json"), 9, "not what Marathon says there"),
    "another type": (answer({"app": {"id": "/default/web", "instances": "two"}}), 9, "not what Marathon says there"),
    "a list": (answer([]), 9, "not what Marathon says there"),
    "a 400": (answer({"message": "Invalid JSON", "details": "at line 7"}, 400), 2, "Invalid JSON: at line 7"),
    "a 401": (Response(401), 10, "wants other credentials"),
    "a 401 page": (Response(401, b"<html>no</html>", "text/html"), 10, "wants other credentials"),
    "a 403": (answer({"message": "Not Authorized to \x1b[2J do this"}, 403), 10, "Not Authorized to"),
    "a 422": (answer({"message": "no", "details": [{"path": "/x", "errors": ["e"]}]}, 422), 2, "no: /x: e"),
    "a 500": (answer({"message": "kaput"}, 500), 9, "kaput"),
    "a 503": (Response(503, b"<h1>Could not determine the current leader</h1>", "text/html"), 9, "lost its leader"),
    "an escaping redirect": (Response(302, headers={"Location": "http://[\x1b[31m"}), 9, "sends us to"),
}


def test_every_strange_answer_has_its_exit_code_and_a_sentence(tmp_path: Path) -> None:
    """Reads; all at once, since most of the time goes into starting Python."""

    def run(what: str) -> tuple[int, str, int]:
        folder = tmp_path / what.replace(" ", "-")
        folder.mkdir()
        with Front() as front:
            front.strike = always(TEXTS[what][0])
            done = shell(folder, front.url).run("deploy", "-f", str(folder / "web.orch.yaml"))
            return done.returncode, done.stderr + done.stdout, front.writes

    with ThreadPoolExecutor(2) as pool:
        results = dict(zip(TEXTS, pool.map(run, TEXTS), strict=True))
    for what, (code, text, writes) in results.items():
        assert (code, writes) == (TEXTS[what][1], 0), (what, text)
        assert TEXTS[what][2] in text, (what, text)
        assert "Traceback" not in text, what
        assert "\x1b" not in text, what


def shell(folder: Path, url: str) -> Shell:
    (folder / "web.orch.yaml").write_text(SPEC, "utf-8")
    (folder / "config.toml").write_text(f'[contexts.here]\nbackend = "marathon"\nurls = ["{url}"]\n', "utf-8")
    return Shell(folder / "web.orch.yaml", folder / "config.toml", folder / "state")


def test_what_is_unreadable_for_a_write_is_told_and_the_same_command_finishes(
    world: MarathonWorld, front: Front, tmp_path: Path
) -> None:
    """A server that carries out the write and is gone for good: exit 9; the next command adopts what stands there."""
    gone = [False]

    def strike(request: Request) -> Response | None:
        if _is_of_app(request) and request.method == "POST":
            proxied(request, front._behind)
            gone[0] = True
        if gone[0]:
            return Response(403, json.dumps({"message": "Not Authorized"}).encode(), "application/json")
        return None

    front.strike = strike
    one = shell(tmp_path, front.url)
    struck_run = one.run("deploy", "-f", str(one.spec))
    assert struck_run.returncode == 10, struck_run.stderr
    assert "Not Authorized" in struck_run.stderr
    front.strike = lambda _request: None
    again = one.run("deploy", "-f", str(one.spec))
    assert again.returncode == 0, again.stderr
    sent = [r for r in front.seen if r.method == "POST" and _is_of_app(r)]
    assert len(sent) == 1
