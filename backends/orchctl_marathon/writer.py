"""Changing a Marathon, under a lease: the version is compared just before each write, since Marathon itself compares none.

Only a deployment that orchctl started is ever overridden or cancelled; what somebody else started is waited for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from orchctl.core.backend import Secrets, Writer
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle
from orchctl.core.service import Service
from orchctl.errors import AlreadyExists, Conflict, ForeignObject, Locked, NotFound, StalePlan, attempt
from orchctl_marathon import normalise, translate
from orchctl_marathon.canonical import carry_service_ports
from orchctl_marathon.careful import anew, careful
from orchctl_marathon.client import Reading, Writing
from orchctl_marathon.deployments import is_of_our_definition
from orchctl_marathon.names import INTENT, TEMPLATE, app_id, group_id, is_ours
from orchctl_marathon.progress import count_of, expect_of, is_unfinished, template_of
from orchctl_marathon.reader import MarathonReader
from orchctl_marathon.rollout import upgrade_strategy

Json = dict[str, Any]
Send = Callable[[Mapping[str, str]], Json]

_FORCE = {"force": "true"}
_OF_A_GROUP = ("apps", "groups", "pods", "dependencies", "enforceRole")
_FULL = {"partialUpdate": "false"}
"""A PUT is a patch by default: what is left out would keep its old value."""


class MarathonWriter(Writer):
    def __init__(self, reading: Reading, reader: MarathonReader, check: Callable[[], None]) -> None:
        self._reading = reading
        self._reader = reader
        self._writing = Writing(reading, check)
        self._started: set[str] = set()

    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:  # noqa: ARG002 - see claims.py
        service = plan.service
        self._reading.version()  # an older one would take the app and leave out half of it
        body = translate.app(service)
        if plan.expect:
            body, answer = self._replace(service, body, plan.expect)
        else:
            answer = self._create(service, body)
        return Handle(
            backend="marathon",
            namespace=service.namespace,
            service=service.name,
            template_hash=body["labels"][TEMPLATE],
            replicas=int(body["instances"]),
            ref=answer,
        )

    def _create(self, service: Service, body: Json) -> str:
        try:
            made = self._writing.create(body)
        except AlreadyExists:
            there = self._reader.app(service.namespace, service.name)
            _check_ours(there, service.namespace, service.name)
            raise StalePlan(f"service {service.name!r} was created by somebody else meanwhile") from None
        ids = [str(d.get("id")) for d in made.get("deployments") or () if isinstance(d, dict)]
        self._started.update(ids)
        return ids[0] if ids else ""

    def _replace(self, service: Service, body: Json, expect: str) -> tuple[Json, str]:
        """What was sent, and the deployment."""
        live = self._owned(service.namespace, service.name, expect)
        path = f"/v2/apps{body['id']}"
        if _differs_in_count_only(live, body) and not is_unfinished(live):
            return body, self._recount(live, path, body["instances"])
        whole = careful(service, carry_service_ports(body, live), self._reader.crowd(live))
        return whole, self._put(live, path, whole)

    def scale(self, namespace: str, name: str, replicas: int, *, expect: str) -> Handle:
        live = self._owned(namespace, name, expect)
        path = f"/v2/apps{app_id(namespace, name)}"
        if is_unfinished(live):
            ref = self._put(live, path, self._going_on(live, name, replicas))
        else:
            ref = self._recount(live, path, replicas)
        return self._handle(namespace, name, live, replicas, ref)

    def _recount(self, live: Json, path: str, replicas: int) -> str:
        return self._send(live, lambda q: self._writing.patch(path, {"instances": replicas}, q))

    def _put(self, live: Json, path: str, body: Json) -> str:
        whole = anew(body, live) if is_unfinished(live) else body
        return self._send(live, lambda q: self._writing.put(path, whole, {**_FULL, **q}))

    def _going_on(self, live: Json, name: str, replicas: int) -> Json:
        """The rollout that runs, with another count. A change of the count alone would end it half done, and stop or start
        instances without a look at which of them serve.

        Conflict when it stands still; Locked while it runs and the count would take more instances on the way.
        """
        running = [str(d.get("id")) for d in live.get("deployments") or ()]
        if not running:
            raise Conflict(
                f"a rollout of {name!r} was left half done: what would be started or stopped is not what serves",
                hint="deploy or roll back first, then scale",
            )
        body = _sized(live, replicas)
        whole = body and careful(normalise.read_intent(live)[0], body, self._reader.crowd(live))
        if whole is None or whole["instances"] != replicas:
            raise Locked(
                f"a rollout of {name!r} is under way, and {replicas} instances now could be too few that serve",
                by=running,
                hint="wait for its end, or deploy with that count",
            )
        return whole

    def restart(self, namespace: str, name: str, *, expect: str) -> Handle:
        """Marathon restarts under the strategy that the app has. After a scale its fractions may mean other numbers, and
        they say nothing about instances that do not serve: then the app is sent with the right ones, which replaces
        every instance as well."""
        live = self._owned(namespace, name, expect)
        path, whole = f"/v2/apps{app_id(namespace, name)}", self._restarting(live)
        if whole is None:
            ref = self._send(live, lambda q: self._writing.restart(path, q))
        else:
            ref = self._put(live, path, whole)
        return self._handle(namespace, name, live, normalise.replicas_of(whole or live), ref)

    def _restarting(self, live: Json) -> Json | None:
        """The definition to restart under; None when it is the one that stands there."""
        body = _sized(live, count_of(live))
        if body is None:
            return None
        whole = careful(normalise.read_intent(live)[0], body, self._reader.crowd(live))
        same = all(whole[k] == live.get(k) for k in ("instances", "upgradeStrategy"))
        return None if same else whole

    def pause(self, handle: Handle) -> None:
        """Cancel our deployment and leave everything as it is. Reverting it would start every instance anew."""
        live = self._reader.app(handle.namespace, handle.service)
        if live is None or template_of(live) != handle.template_hash:
            return
        ids = [str(d.get("id")) for d in live.get("deployments") or ()]
        for identity in self._ours_of(live, ids):
            attempt(partial(self._writing.delete, f"/v2/deployments/{identity}", _FORCE), NotFound)

    def delete(self, namespace: str, name: str, *, expect: str) -> Handle:
        live = self._owned(namespace, name, expect)
        path = f"/v2/apps{app_id(namespace, name)}"

        def remove(query: Mapping[str, str]) -> Json:
            """Marathon's own default is force: it would run over a deployment of somebody else."""
            attempt(lambda: self._writing.delete(path, {"force": "false", **query}), NotFound)
            return {}

        self._send(live, remove)
        return Handle(backend="marathon", namespace=namespace, service=name, template_hash="", replicas=0)

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:  # noqa: ARG002 - all is in the app
        """The group that was made with the first app of the namespace. It is only removed while nothing is in it, and not
        where a role was set for it (since 1.9); a deployment in it, such as that of an app just created, locks it."""
        if keep:
            return
        path = f"/v2/groups{group_id(namespace)}"
        embed = ("group.apps", "group.groups", "group.pods")
        group = attempt(lambda: self._reading.get(path, {"embed": embed}), NotFound)
        if group and not any(group.get(kind) for kind in _OF_A_GROUP):
            attempt(lambda: self._writing.delete(path, {"force": "false"}), NotFound, Locked)

    def _send(self, live: Json, action: Send) -> str:
        """Do it, over a deployment of our own if there is one; the id of the new deployment.

        Locked when others hold the app: by their ids, for the engine to wait.
        """
        self._reader.expect_change()
        try:
            answer = action({})
        except Locked as locked:
            if not locked.by or set(self._ours_of(live, locked.by)) != set(locked.by):
                raise _explained(locked, str(live["id"])) from None
            answer = action(_FORCE)
        identity = str(answer.get("deploymentId", ""))
        self._started.add(identity)
        return identity

    def _ours_of(self, live: Json, ids: Sequence[str]) -> list[str]:
        """Those of ``ids`` that this run started, or that put the definition in place which stands here as we wrote it."""
        unknown = [i for i in ids if i not in self._started]
        listed = self._reading.deployments() if unknown else []
        ours = {str(d.get("id")) for d in listed if is_of_our_definition(d, live)}
        return [i for i in ids if i in self._started or i in ours]

    def _owned(self, namespace: str, name: str, expect: str) -> Json:
        live = self._reader.app(namespace, name)
        _check_ours(live, namespace, name)
        if live is None or expect_of(live) != expect:
            raise StalePlan(f"service {name!r} was changed by somebody else since it was read")
        return live

    def _handle(self, namespace: str, name: str, live: Json, replicas: int, ref: str) -> Handle:
        return Handle(
            backend="marathon",
            namespace=namespace,
            service=name,
            template_hash=template_of(live),
            replicas=replicas,
            ref=ref,
        )


def _differs_in_count_only(live: Json, body: Json) -> bool:
    """A full PUT would carry new fractions for the new count, and replace every instance for them."""
    now, wanted = normalise.document(live), normalise.document(body)
    now.pop("replicas", None)
    wanted.pop("replicas", None)
    return now == wanted and template_of(live) == template_of(body)


def _sized(live: Json, replicas: int) -> Json | None:
    """The definition with that count and the fractions for it; None when our note in it cannot be read."""
    labels = live.get("labels") or {}
    try:
        intent = translate.resized_intent(labels.get(INTENT, ""), replicas)
    except (ValueError, AttributeError):
        return None
    return {
        **normalise.definition_of(live),
        "instances": replicas,
        "upgradeStrategy": upgrade_strategy(normalise.read_intent(live)[0], replicas),
        "labels": {**labels, INTENT: intent},
    }


def _explained(locked: Locked, identity: str) -> Locked:
    names = ", ".join(locked.by)
    if not names:
        return Locked(
            f"Marathon takes no further deployment now: {locked}",
            hint="it has as many running as it is allowed; wait for them, or cancel one that is stuck",
        )
    return Locked(
        f"app {identity} is locked by deployment {names}, which orchctl did not start",
        by=locked.by,
        hint=f"wait for it; if it is stuck, cancel it: DELETE /v2/deployments/{locked.by[0]}?force=true",
    )


def _check_ours(app: Json | None, namespace: str, name: str) -> None:
    if app is not None and not is_ours(app.get("labels"), namespace, name):
        raise ForeignObject(
            f"the app {app_id(namespace, name)} exists and was not made by orchctl",
            hint="rename the service, use another namespace, or remove that app first",
        )
