"""Plan, hash, wire and live document are projections of one service, and must agree: for generated pairs, on every backend.

A difference that only the hash sees is waited for without having been sent; one that only the wire has is never sent.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.core import registry
from orchctl.core.backend import Backend, Live
from orchctl.core.codec import canonical_json, from_plain, to_plain
from orchctl.core.context import Context
from orchctl.core.document import template_hash
from orchctl.core.plan import Plan, Policy
from orchctl.core.service import (
    Amount,
    File,
    Health,
    OnFailure,
    Port,
    Probe,
    ProbeKind,
    Resources,
    Restart,
    Rollout,
    Scaling,
    Service,
    Stop,
)
from orchctl.engine.holder import this_process
from orchctl.engine.plan import plan_against
from orchctl.engine.session import Session
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import FakeCluster
from orchctl.testing.virtual_time import VirtualClock
from tests.arch.test_lossless import natively

FAKE = FakeBackend(FakeCluster(now=lambda: 0.0))
BACKENDS: dict[str, Backend] = {name: registry.load(name) for name in registry.BUILT_IN} | {"fake": FAKE}

TEXTS = st.sampled_from(["", "1", "2", "{{x}}"])
NAMED = st.dictionaries(st.sampled_from(["A", "B"]), TEXTS, max_size=2)
PORTS = st.permutations([Port(name=n, port=8_000 + i) for i, n in enumerate(("http", "admin", "extra"))])
COMMANDS = st.sampled_from([("serve",), ("serve", "--fast"), ("serve", "")])
CHECKS = st.one_of(
    st.none(),
    st.builds(
        Probe,
        kind=st.just(ProbeKind.HTTP),
        path=st.sampled_from(["/", "/up"]),
        port=st.sampled_from(["http", "admin"]),
        interval_ms=st.sampled_from([1_000, 2_000]),
        failures=st.sampled_from([2, 3]),
    ),
    st.builds(Probe, kind=st.just(ProbeKind.EXEC), command=st.sampled_from([("true",), ("test", "-f", "/up")])),
)
# Of each backend's own words, those that say nothing or take something away: they must not get lost on the way.
OPTIONS = {
    "local": st.sampled_from([{}, {"env": {}}, {"env": {"X": ""}}, {"env": {"X": "1"}}]),
    "swarm": st.sampled_from([{}, {"patch": {}}, {"patch": {"TaskTemplate": {"LogDriver": None}}}]),
    "kubernetes": st.sampled_from([{}, {"patch": {}}, {"patch": {"metadata": {"annotations": None}}}]),
    "marathon": st.just({}),
    "fake": st.sampled_from([{}, {"behaviour": ""}, {"behaviour": None}, {"behaviour": "good"}]),
}


FIELDS = {
    "image": st.sampled_from(["web:1", "web:2", "web:1@sha256:" + "a" * 64]),
    "command": COMMANDS,
    "args": st.sampled_from([(), ("-v",), ("-v", "-q"), ("-q", "-v")]),
    "working_dir": st.sampled_from(["", "/a"]),
    "labels": st.dictionaries(st.sampled_from(["team", "tier"]), TEXTS.filter(lambda t: "{" not in t), max_size=2),
    "replicas": st.sampled_from([1, 2, 3]),
    "ports": st.builds(lambda ports, count: tuple(ports[:count]), PORTS, st.integers(2, 3)),
    "env": NAMED,
    "files": st.dictionaries(
        st.sampled_from(["/etc/a", "/etc/b"]),
        st.builds(File, content=st.sampled_from([b"0", b"1", b"2"]), mode=st.sampled_from(["0444", "0400"])),
        max_size=2,
    ),
    "resources": st.builds(
        Resources,
        cpu_millis=st.sampled_from([None, 100, 200]),
        memory_bytes=st.sampled_from([None, 64 << 20]),
        memory_limit_bytes=st.sampled_from([None, 128 << 20]),
    ),
    "health": st.builds(Health, ready=CHECKS, live=CHECKS, start_deadline_ms=st.sampled_from([30_000, 40_000])),
    "rollout": st.builds(
        Rollout,
        max_surge=st.sampled_from([Amount(1), Amount(50, percent=True)]),
        min_ready_ms=st.sampled_from([1_000, 2_000]),
        deadline_ms=st.sampled_from([60_000, 120_000]),
        on_failure=st.sampled_from(list(OnFailure)),
    ),
    "restart": st.sampled_from(list(Restart)),
    "stop": st.builds(Stop, signal=st.sampled_from(["SIGTERM", "SIGINT"]), grace_ms=st.sampled_from([5_000, 30_000])),
    "scaling": st.sampled_from([None, Scaling(min=1, max=3), Scaling(min=1, max=4)]),
    "needs": st.sampled_from([{}, {"db": "*"}, {"db": ">=2"}]),
    "provides": st.sampled_from([{}, {"api": "1"}]),
    "allow": st.sampled_from([None, (), ("api",)]),
    "backends": st.fixed_dictionaries(OPTIONS),
}
SERVICES = st.builds(Service, name=st.just("web"), namespace=st.just("shop"), **FIELDS)  # type: ignore[arg-type]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Service, Service]:
    """The second is the first with one or two fields changed: where all differ, one change hides the want of another."""
    first = draw(SERVICES.filter(has_its_ports))
    names = draw(st.sets(st.sampled_from(sorted(FIELDS)), min_size=1, max_size=2))
    second = replace(first, **{n: draw(FIELDS[n].filter(lambda v, n=n: v != getattr(first, n))) for n in sorted(names)})
    return first, second if has_its_ports(second) else first


def has_its_ports(service: Service) -> bool:
    probes = [p for p in (service.health.ready, service.health.live) if p and p.port]
    return {p.port for p in probes} <= {p.name for p in service.ports}


def fitted(backend: Backend, service: Service) -> Service:
    """As this backend takes it: without the words of others, and without what it refuses."""
    service = replace(service, backends={k: v for k, v in service.backends.items() if v and k == backend.name})
    plain = {
        "restart": Restart.ALWAYS,
        "backends": {},
        "working_dir": "",
        "stop": Stop(),
        "files": {},
        "resources": Resources(),
    }
    for _ in plain:  # a backend that cannot read its own words says nothing of the rest yet
        refused = {i.path for i in backend.check(service) if i.policy is Policy.REJECT}
        service = replace(service, **{k: v for k, v in plain.items() if any(path.startswith(k) for path in refused)})  # type: ignore[arg-type]
    assert not refused, refused
    return service


def planned(backend: Backend, before: Service, after: Service) -> Plan:
    """What deploying ``after`` over a live ``before`` plans."""
    context = Context(name="t", backend=backend.name, state_dir=Path(tempfile.gettempdir()), namespace="shop")
    clock = VirtualClock()
    with FAKE.connect(context) as connection:
        session = Session(
            backend=backend,
            context=context,
            connection=connection,
            clock=clock,
            holder=this_process("test"),
            say=lambda _event: None,
            started=clock.now(),
        )
        live = Live(
            namespace="shop",
            name="web",
            expect="1",
            document=backend.project(before.on_backend()),
            template_hash=template_hash(before, backend.name),
            replicas=before.replicas or 0,
        )
        return plan_against(session, replace(after, allow=None), live, []).plan


@pytest.mark.parametrize("name", list(BACKENDS))
@given(pair=pairs())
def test_plan_hash_wire_and_document_agree(name: str, pair: tuple[Service, Service]) -> None:
    backend = BACKENDS[name]
    before, after = (fitted(backend, service) for service in pair)
    plan = planned(backend, before, after)
    one, other = template_hash(before, name), template_hash(after, name)
    assert plan.template_hash == other
    if one != other:
        assert plan.restarts, "a new template without an instance that is replaced"
    if backend.project(before.on_backend()) != backend.project(after.on_backend()):
        assert plan.changes, "documents differ, and nothing would be sent"
    if plan.is_empty:
        assert natively(backend, before) == natively(backend, after), "the wire differs, and nothing would be sent"
    assert planned(backend, after, after).is_empty
    again = from_plain(Service, to_plain(after))
    assert template_hash(again, name) == other
    assert backend.project(again.on_backend()) == backend.project(after.on_backend())
    if name != "fake":
        rendered = canonical_json(to_plain(tuple(backend.render(after.on_backend()))))
        assert rendered.count(other) >= 1, "the wire carries the hash of the plan"


@pytest.mark.parametrize("name", list(BACKENDS))
def test_the_deadline_of_checks_that_are_not_there_is_told_to_nobody(name: str) -> None:
    backend = BACKENDS[name]
    before = fitted(backend, Service(name="web", namespace="shop", image="x/web:1", command=("run",), replicas=1))
    after = replace(before, health=Health(start_deadline_ms=1_000))
    assert planned(backend, before, after).is_empty
    assert natively(backend, before) == natively(backend, after)
