"""Whatever answers at the address: one sentence, never a traceback, the right error, in time."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.errors import (
    AuthRefused,
    ConfigError,
    FieldConflict,
    LeaseLost,
    NotFound,
    OrchctlError,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
    UsageError,
)
from orchctl_kubernetes import client
from orchctl_kubernetes.client import Reading, Writing
from orchctl_kubernetes.target import resolve
from tests.unit.kubernetes.api_server import Server, kubeconfig, refusal, running

PATH = "/api/v1/namespaces/test/pods"
GARBAGE = {
    "a page": b"<html><body>It works!</body></html>",
    "nothing": b"",
    "half an answer": b'{"items": [{"metadata": {"na',
    "a list": b"[1, 2, 3]",
    "numbers for items": b'{"items": [1, 2]}',
    "items without names": b'{"items": [{"metadata": {}}]}',
    "null": b"null",
    "a deep nest": b"[" * 5000,
}


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as found:
        yield found


def connect(tmp_path: Path, url: str, **more: Any) -> Reading:
    path = kubeconfig(tmp_path / "kubeconfig", url, **more)
    context = Context(name="k", backend="kubernetes", state_dir=tmp_path, settings={"kubeconfig": str(path)})
    return Reading(resolve(context, {}))


@pytest.mark.parametrize("body", list(GARBAGE.values()), ids=list(GARBAGE))
def test_garbage_for_an_answer_to_a_read_is_unreachable(server: Server, tmp_path: Path, body: bytes) -> None:
    server.reply = lambda _method, _path: (200, body)
    with pytest.raises(Unreachable):
        connect(tmp_path, server.url).list(PATH)


@pytest.mark.parametrize("body", [GARBAGE["a page"], GARBAGE["nothing"], GARBAGE["half an answer"]])
def test_garbage_for_an_answer_to_a_write_leaves_its_outcome_unknown(
    server: Server, tmp_path: Path, body: bytes
) -> None:
    server.reply = lambda _method, _path: (200, body)
    with pytest.raises(OutcomeUnknown):
        Writing(connect(tmp_path, server.url), lambda: None).create(PATH, {})


def test_an_endless_answer_is_cut_off(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_BYTES", 1 << 20)
    server.reply = lambda _method, _path: (200, b" " * (3 << 20))
    with pytest.raises(Unreachable, match="larger than 1 MiB"):
        connect(tmp_path, server.url).get(PATH)
    with pytest.raises(OutcomeUnknown, match="larger than 1 MiB"):  # the write may have been carried out
        Writing(connect(tmp_path, server.url), lambda: None).create(PATH, {})


def test_a_server_that_says_nothing_is_unreachable_within_the_patience(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        reading = connect(tmp_path, f"http://127.0.0.1:{silent.getsockname()[1]}")
        reading.patience_s = 0.2
        with pytest.raises(Unreachable, match="timed out"):
            reading.get(PATH)


def test_a_write_whose_answer_was_cut_off_is_unknown_and_is_not_sent_again(server: Server, tmp_path: Path) -> None:
    server.reply = lambda _method, _path: (0, b"")
    with pytest.raises(OutcomeUnknown):
        Writing(connect(tmp_path, server.url), lambda: None).create(PATH, {})
    assert len(server.seen) == 1


def test_a_read_that_was_cut_off_is_tried_once_more(server: Server, tmp_path: Path) -> None:
    replies = iter([(0, b""), (200, {"items": []})])
    server.reply = lambda _method, _path: next(replies)  # type: ignore[return-value]
    assert connect(tmp_path, server.url).list(PATH) == []
    assert len(server.seen) == 2


def test_nobody_listening_is_unreachable_with_a_hint(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(Unreachable) as caught:
            connect(tmp_path, f"https://127.0.0.1:{taken.getsockname()[1]}").get(PATH)
    assert "refused" in caught.value.message
    assert "running" in caught.value.hint


def test_a_redirect_is_not_followed_and_the_token_goes_nowhere(server: Server, tmp_path: Path) -> None:
    with running() as other:
        server.headers["Location"] = f"{other.url}/elsewhere"
        server.reply = lambda _method, _path: (302, b"")
        with pytest.raises(Unreachable, match="redirect"):
            connect(tmp_path, server.url).get(PATH)
        assert other.seen == []


@pytest.mark.parametrize(
    ("code", "status", "error", "words"),
    [
        (400, refusal(400, "json: cannot unmarshal"), UsageError, "cannot unmarshal"),
        (403, refusal(403, 'deployments.apps is forbidden: User "u" cannot patch resource "deployments" in API group "apps" in the namespace "test"'), AuthRefused, "cannot patch"),
        (403, refusal(403, 'pods "web" is forbidden: exceeded quota: q, requested: pods=1'), UsageError, "exceeded quota"),
        (404, refusal(404, 'pods "web" not found', "NotFound", kind="pods", name="web"), NotFound, "not found"),
        (404, refusal(404, 'namespaces "test" not found', "NotFound", kind="namespaces", name="test"), NotFound, "no namespace 'test'"),
        (409, refusal(409, "the object has been modified", "Conflict"), StalePlan, "modified"),
        (410, refusal(410, "too old resource version", "Expired"), Unreachable, "too old"),
        (422, refusal(422, 'Deployment "web" is invalid: spec.x: Required value', "Invalid"), UsageError, "Required value"),
        (429, refusal(429, "too many requests"), Unreachable, "too many"),
        (500, b"<html>boom</html>", Unreachable, "HTTP 500"),
        (503, refusal(503, "apiserver not ready"), Unreachable, "not ready"),
    ],
)  # fmt: skip
def test_an_answer_becomes_the_error_it_means(
    server: Server, tmp_path: Path, code: int, status: Any, error: type[OrchctlError], words: str
) -> None:
    server.reply = lambda _method, _path: (code, status)
    with pytest.raises(error) as caught:
        connect(tmp_path, server.url).get(PATH)
    assert words in caught.value.message


def test_a_missing_right_is_named_with_its_resource(server: Server, tmp_path: Path) -> None:
    text = 'User "ci" cannot create resource "leases" in API group "coordination.k8s.io" in the namespace "test"'
    server.reply = lambda _method, _path: (403, refusal(403, f"leases is forbidden: {text}"))
    with pytest.raises(AuthRefused) as caught:
        connect(tmp_path, server.url).get(PATH)
    assert "the right to create leases.coordination.k8s.io is missing" in caught.value.hint
    assert "render rbac" in caught.value.hint


def test_a_field_conflict_names_the_managers_and_the_fields(server: Server, tmp_path: Path) -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm" using apps/v1', "field": ".spec.replicas"},
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kube-controller-manager" with subresource "scale" using apps/v1',
            "field": ".spec.paused",
        },
    ]
    answer = refusal(409, "Apply failed with 2 conflicts", "Conflict", causes=causes)  # says nothing of the object
    server.reply = lambda _method, _path: (409, answer)
    body = {"kind": "Deployment", "metadata": {"name": "web"}}
    with pytest.raises(FieldConflict) as caught:
        Writing(connect(tmp_path, server.url), lambda: None).apply(PATH, body)
    assert caught.value.fields == (("helm", ".spec.replicas"), ("kube-controller-manager (scale)", ".spec.paused"))
    assert caught.value.message.startswith(
        "Deployment 'web': helm, kube-controller-manager (scale) has set .spec.replicas"
    )
    assert "--force-conflicts" in caught.value.hint


@pytest.mark.parametrize("code", [500, 502, 503, 504])
def test_a_write_that_a_sick_server_answered_is_unknown(server: Server, tmp_path: Path, code: int) -> None:
    server.reply = lambda _method, _path: (code, refusal(code, "etcdserver: request timed out"))
    with pytest.raises(OutcomeUnknown):
        Writing(connect(tmp_path, server.url), lambda: None).create(PATH, {})


def test_an_apply_says_who_we_are_and_validates_strictly(server: Server, tmp_path: Path) -> None:
    server.reply = lambda _method, _path: (200, {})
    Writing(connect(tmp_path, server.url), lambda: None).apply(PATH, {"kind": "Pod"})
    method, path, headers, body = server.seen[0]
    assert (method, path) == ("PATCH", f"{PATH}?fieldManager=orchctl&fieldValidation=Strict")
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert headers["Authorization"] == "Bearer t0ken"
    assert headers["User-Agent"].startswith("orchctl/")
    assert json.loads(body) == {"kind": "Pod"}


def test_the_fence_is_asked_before_every_write(server: Server, tmp_path: Path) -> None:
    def lost() -> None:
        raise LeaseLost("taken over")

    writing = Writing(connect(tmp_path, server.url), lost)
    for write in (
        lambda: writing.apply(PATH, {}),
        lambda: writing.merge(PATH, {}),
        lambda: writing.create(PATH, {}),
        lambda: writing.delete(PATH, uid="u"),
    ):
        with pytest.raises(LeaseLost):
            write()
    assert server.seen == []


class TestCredentials:
    def plugin(self, tmp_path: Path, script: str) -> dict[str, Any]:
        program = tmp_path / "plugin"
        program.write_text(f"#!/bin/sh\n{script}\n")
        program.chmod(0o755)
        return {
            "exec": {
                "apiVersion": "client.authentication.k8s.io/v1",
                "command": str(program),
                "interactiveMode": "Never",
            }
        }

    def test_refused_credentials_are_built_anew_once(self, server: Server, tmp_path: Path) -> None:
        """A plugin's token ends during a long wait (kubernetes-client/python#741)."""
        count = tmp_path / "count"
        token = f'echo x >> {count}; printf \'{{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{{"token":"t%s"}}}}\' $(wc -l < {count})'
        server.reply = lambda _method, _path: (
            (200, {"items": []}) if _good(server) else (401, refusal(401, "Unauthorized"))
        )
        reading = connect(tmp_path, server.url, user=self.plugin(tmp_path, token))
        assert reading.list(PATH) == []
        assert [h["Authorization"] for _, _, h, _ in server.seen] == ["Bearer t1", "Bearer t2"]

    def test_credentials_that_stay_refused_are_told(self, server: Server, tmp_path: Path) -> None:
        server.reply = lambda _method, _path: (401, refusal(401, "Unauthorized"))
        with pytest.raises(AuthRefused, match="401"):
            connect(tmp_path, server.url).get(PATH)
        assert len(server.seen) == 2

    def test_a_plugin_that_fails_is_told_with_its_own_words(
        self, server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(AuthRefused, match="the credential plugin failed"):
            connect(tmp_path, server.url, user=self.plugin(tmp_path, "exit 3"))
        assert "Traceback" not in capfd.readouterr().err

    def test_a_client_certificate_and_a_password_never_show_in_words(self, server: Server, tmp_path: Path) -> None:
        server.reply = lambda _method, _path: (401, refusal(401, "Unauthorized"))
        with pytest.raises(AuthRefused) as caught:
            connect(tmp_path, server.url, user={"token": "s3cret-token"}).get(PATH)
        assert "s3cret" not in caught.value.message + caught.value.hint


def _good(server: Server) -> bool:
    return server.seen[-1][2]["Authorization"] == "Bearer t2"


class TestTls:
    @pytest.fixture
    def authority(self) -> trustme.CA:
        return trustme.CA()

    def context(self, authority: trustme.CA, host: str = "127.0.0.1", **more: Any) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host, **more).configure_cert(context)
        return context

    def trusting(self, authority: trustme.CA, tmp_path: Path) -> dict[str, Any]:
        path = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(path))
        return {"certificate-authority": str(path)}

    def test_the_kubeconfigs_authority_is_the_one_that_counts(
        self, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nowhere")
        with running(self.context(authority)) as server:
            assert connect(tmp_path, server.url, cluster=self.trusting(authority, tmp_path)).list(PATH) == []

    def test_another_authority_is_unreachable_with_a_hint(self, authority: trustme.CA, tmp_path: Path) -> None:
        with running(self.context(trustme.CA())) as server:
            reading = connect(tmp_path, server.url, cluster=self.trusting(authority, tmp_path))
            with pytest.raises(Unreachable) as caught:
                reading.get(PATH)
        assert "certificate-authority" in caught.value.hint

    def test_an_expired_certificate_says_so(self, authority: trustme.CA, tmp_path: Path) -> None:
        import datetime

        past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
        context = self.context(authority, not_before=past, not_after=past + datetime.timedelta(days=1))
        with running(context) as server:
            reading = connect(tmp_path, server.url, cluster=self.trusting(authority, tmp_path))
            with pytest.raises(Unreachable) as caught:
                reading.get(PATH)
        assert "has ended" in caught.value.hint

    def test_a_certificate_for_another_name_says_so(self, authority: trustme.CA, tmp_path: Path) -> None:
        with running(self.context(authority, "elsewhere.example")) as server:
            reading = connect(tmp_path, server.url, cluster=self.trusting(authority, tmp_path))
            with pytest.raises(Unreachable) as caught:
                reading.get(PATH)
        assert "another name" in caught.value.hint

    def test_plain_http_at_the_other_end_is_unreachable(self, tmp_path: Path) -> None:
        with running() as server, pytest.raises(Unreachable):
            connect(tmp_path, server.url.replace("http:", "https:")).get(PATH)

    def test_verification_switched_off_is_always_told_and_refused_where_protected(self, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path / "k", "https://127.0.0.1:1", cluster={"insecure-skip-tls-verify": True})
        settings = {"kubeconfig": str(path)}
        context = Context(name="k", backend="kubernetes", state_dir=tmp_path, settings=settings)
        assert "NOT VERIFIED" in load("kubernetes").connect(context).endpoint
        strict = Context(name="k", backend="kubernetes", state_dir=tmp_path, settings=settings, protected=True)
        with pytest.raises(UsageError, match="protected"):
            load("kubernetes").connect(strict)


class TestTarget:
    def context(self, tmp_path: Path, **settings: Any) -> Context:
        return Context(name="k", backend="kubernetes", state_dir=tmp_path, settings=settings, base_dir=tmp_path)

    def test_an_unknown_setting_is_refused_with_the_known_ones(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="no setting 'kubconfig'"):
            resolve(self.context(tmp_path, kubconfig="x"), {})

    def test_a_file_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="absent"):
            resolve(self.context(tmp_path, kubeconfig="absent"), {})

    def test_the_setting_wins_over_the_environment_and_that_over_the_usual_file(self, tmp_path: Path) -> None:
        usual, other = tmp_path / ".kube" / "config", tmp_path / "other"
        usual.parent.mkdir()
        for path in (usual, other, tmp_path / "own"):
            path.write_text("{}")
        environ = {"HOME": str(tmp_path)}
        assert resolve(self.context(tmp_path), environ).files == (str(usual),)
        assert resolve(self.context(tmp_path), environ | {"KUBECONFIG": f"/absent:{other}"}).files == (str(other),)
        own = self.context(tmp_path, kubeconfig="own")
        assert resolve(own, environ | {"KUBECONFIG": str(other)}).files == (str(tmp_path / "own"),)

    def test_nothing_at_all_says_what_to_write(self, tmp_path: Path) -> None:
        with pytest.raises(UsageError) as caught:
            resolve(self.context(tmp_path), {"HOME": str(tmp_path)})
        assert "kubeconfig = " in caught.value.hint

    def test_inside_a_pod_its_own_account_is_used(self, tmp_path: Path) -> None:
        environ = {"HOME": str(tmp_path), "KUBERNETES_SERVICE_HOST": "10.0.0.1"}
        assert resolve(self.context(tmp_path), environ).files == ()

    @pytest.mark.parametrize("text", ["{", "[]", "a: [", "apiVersion: v1\nkind: Config\n", "\0\1", "&a [*a, *a]"])
    def test_a_broken_kubeconfig_is_a_configuration_error(self, tmp_path: Path, text: str) -> None:
        path = tmp_path / "broken"
        path.write_text(text)
        with pytest.raises(ConfigError):
            load("kubernetes").connect(self.context(tmp_path, kubeconfig=str(path)))

    def test_a_context_that_is_not_there_is_named(self, tmp_path: Path) -> None:
        path = kubeconfig(tmp_path / "k", "https://127.0.0.1:1")
        with pytest.raises(ConfigError, match="prod"):
            load("kubernetes").connect(self.context(tmp_path, kubeconfig=str(path), kube_context="prod"))


def test_hanging_does_not_outlive_the_patience_of_the_waiter(server: Server, tmp_path: Path) -> None:
    release = threading.Event()

    def hang(_method: str, _path: str) -> Any:
        release.wait(120)
        return (200, {"items": []})

    server.reply = hang
    reading = connect(tmp_path, server.url)
    reading.patience_s = 0.2
    with pytest.raises(Unreachable):
        reading.list(PATH)
    release.set()
