"""What ``orchctl doctor`` looks at in a cluster: version, namespace, rights, clock, the credentials' last day."""

from __future__ import annotations

import base64
import binascii
import datetime
import email.utils
import json
from collections.abc import Iterator

from orchctl.core.check import Check, Health, certificate_end, clock, last_day
from orchctl.errors import AuthRefused, NotFound
from orchctl_kubernetes.access import RIGHTS, Right
from orchctl_kubernetes.client import Reading
from orchctl_kubernetes.resources import NAMESPACES_PATH

LEAST_VERSION = (1, 30)  # the preStop sleep that stop.drain needs is on from here
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


def checks(reading: Reading, namespace: str) -> Iterator[Check]:
    yield _version(reading)
    yield _namespace(reading, namespace)
    yield _rights(reading, namespace)
    yield _clock(reading)
    yield from _last_days(reading)


def _version(reading: Reading) -> Check:
    found = reading.get("/version")
    text = str(found.get("gitVersion", "?"))
    try:
        number = (int(found["major"]), int(str(found["minor"]).rstrip("+")))
    except (KeyError, ValueError, TypeError):
        return Check(name="version", health=Health.UNKNOWN, finding=f"the server calls itself {text}")
    if number < LEAST_VERSION:
        least = ".".join(map(str, LEAST_VERSION))
        finding = f"Kubernetes {text} is older than {least}"
        hint = "a spec with stop.drain is refused by it; set stop.drain to 0 or upgrade the cluster"
        return Check(name="version", health=Health.WARNING, finding=finding, hint=hint)
    return Check(name="version", health=Health.GOOD, finding=f"Kubernetes {text}")


def _namespace(reading: Reading, namespace: str) -> Check:
    try:
        found = reading.get(f"{NAMESPACES_PATH}/{namespace}")
    except NotFound:
        hint = f"kubectl create namespace {namespace}, or deploy with --create-namespace"
        return Check(name="namespace", health=Health.WARNING, finding=f"{namespace} does not exist", hint=hint)
    except AuthRefused:
        return Check(name="namespace", health=Health.UNKNOWN, finding=f"{namespace}: these credentials may not look")
    if str((found.get("status") or {}).get("phase")) == "Terminating":
        return Check(name="namespace", health=Health.BAD, finding=f"{namespace} is being deleted")
    return Check(name="namespace", health=Health.GOOD, finding=f"{namespace} exists")


def _rights(reading: Reading, namespace: str) -> Check:
    """Asked one by one, as a deploy would need them: the only answer that takes every authorizer into account."""
    missing = [f"{v} {r.words}" for r in RIGHTS for v in r.verbs if not _may(reading, namespace, r, v)]
    asked = sum(len(r.verbs) for r in RIGHTS)
    if not missing:
        return Check(name="permissions", health=Health.GOOD, finding=f"all {asked} rights in {namespace}")
    hint = f"orchctl render rbac --backend kubernetes -n {namespace} prints a Role with all that is needed"
    finding = f"missing in {namespace}: {', '.join(missing)}"
    return Check(name="permissions", health=Health.BAD, finding=finding, hint=hint)


def _may(reading: Reading, namespace: str, right: Right, verb: str) -> bool:
    wanted = {
        "namespace": namespace,
        "verb": verb,
        "group": right.resource.group,
        "resource": right.resource.plural,
        "subresource": right.sub,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": wanted},
    }
    return bool((reading.post_review(_REVIEWS, review).get("status") or {}).get("allowed"))


def _clock(reading: Reading) -> Check:
    """The ``Date`` of an answer: whole seconds, good enough to see a clock that is wrong."""
    try:
        theirs = email.utils.parsedate_to_datetime(reading.last_date)
    except (TypeError, ValueError):
        theirs = None
    return clock(theirs, datetime.datetime.now(datetime.UTC), whose="server")


def _last_days(reading: Reading) -> Iterator[Check]:
    now, certificate = datetime.datetime.now(datetime.UTC), reading.client_certificate
    if end := certificate_end(certificate) if certificate else None:
        yield last_day("client certificate", end, now)
    if end := _token_end(reading.token()):
        yield last_day("token", end, now, short=True)


def _token_end(header: str) -> datetime.datetime | None:
    """``exp`` of a JSON web token; None for a token that is none."""
    parts = header.rpartition(" ")[2].split(".")
    if len(parts) != 3:
        return None
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
        return datetime.datetime.fromtimestamp(int(claims["exp"]), datetime.UTC)
    except (ValueError, KeyError, TypeError, OverflowError, binascii.Error):
        return None
