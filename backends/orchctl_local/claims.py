"""What plain processes can do, with the sentence the user reads; and what depends on more than one field."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping

from orchctl.core.capability import NATIVE, Claim, Feature, Support, issues_for
from orchctl.core.diff import join
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service, Strategy
from orchctl_local.layout import confined

_FILES = Claim(
    Support.WARNED,
    "the file is put below the directory $ORCHCTL_FILES of each process, not at this path of the machine",
)
_NO_LIMIT = Claim(Support.WARNED, "plain processes share the machine: this is not enforced")
_NO_RESERVATION = Claim(
    Support.WARNED, "only compared with what this machine has in all: nothing is set aside for a plain process"
)
_NO_MOUNT = Claim(Support.UNSUPPORTED, "a plain process has no mounts; let it use a path of this machine directly")
_IN_FRONT = Claim(
    Support.EMULATED, "nothing is put in front: each process listens on a port of this machine, see `orchctl discover`"
)
_NO_LABELS = Claim(Support.UNSUPPORTED, "this machine has no node labels")

CLAIMS: Mapping[Feature, Claim] = {
    Feature.IMAGE: Claim(Support.WARNED, "images are not used by plain processes: the command runs on this machine"),
    Feature.PROCESS: NATIVE,
    Feature.COMMAND: NATIVE,
    Feature.ARGS: NATIVE,
    Feature.WORKING_DIR: NATIVE,
    Feature.USER: Claim(Support.UNSUPPORTED, "plain processes run as the user who runs orchctl"),
    Feature.LABELS: NATIVE,
    Feature.AUTOSCALE: NATIVE,
    Feature.AUTOSCALE_CPU: Claim(
        Support.WARNED, "nothing follows the CPU use here; change the count with `orchctl scale`"
    ),
    Feature.PORT_INTERNAL: NATIVE,
    Feature.PORT_HOST: NATIVE,
    Feature.PORT_CLUSTER: _IN_FRONT,
    Feature.PORT_EXTERNAL: _IN_FRONT,
    Feature.PORT_PUBLISHED: NATIVE,
    Feature.PORT_UDP: NATIVE,
    Feature.PORT_SCTP: Claim(Support.UNSUPPORTED, "free SCTP ports are not looked for"),
    Feature.ENV: NATIVE,
    Feature.ENV_SECRET: NATIVE,
    Feature.FILE_CONTENT: _FILES,
    Feature.FILE_SECRET: _FILES,
    Feature.FILE_MODE: NATIVE,
    Feature.SECRET_STORE: NATIVE,
    Feature.SECRET_PROVIDER: NATIVE,
    Feature.VOLUME_NAMED: _NO_MOUNT,
    Feature.VOLUME_SIZE: _NO_MOUNT,
    Feature.VOLUME_TMPFS: _NO_MOUNT,
    Feature.VOLUME_HOST: _NO_MOUNT,
    Feature.RESOURCES_CPU: _NO_RESERVATION,
    Feature.RESOURCES_MEMORY: _NO_RESERVATION,
    Feature.LIMITS_CPU: _NO_LIMIT,
    Feature.LIMITS_MEMORY: _NO_LIMIT,
    Feature.HEALTH_READY: NATIVE,
    Feature.HEALTH_LIVE: NATIVE,
    Feature.HEALTH_BOTH: NATIVE,
    Feature.HEALTH_HTTP: NATIVE,
    Feature.HEALTH_TCP: NATIVE,
    Feature.HEALTH_EXEC: NATIVE,
    Feature.HEALTH_GRPC: Claim(
        Support.NOT_YET, "gRPC checks need a gRPC client, which orchctl does not bring; use tcp or exec"
    ),
    Feature.ROLLOUT_SURGE: NATIVE,
    Feature.ROLLOUT_UNAVAILABLE: NATIVE,
    Feature.ROLLOUT_BOTH: NATIVE,
    Feature.ROLLOUT_RECREATE: NATIVE,
    Feature.ROLLOUT_PAUSE: NATIVE,
    Feature.ROLLOUT_UNDO: NATIVE,
    Feature.RESTART_ON_FAILURE: NATIVE,
    Feature.RESTART_NEVER: NATIVE,
    Feature.STOP_SIGNAL: NATIVE,
    Feature.STOP_GRACE: NATIVE,
    Feature.STOP_DRAIN: NATIVE,
    Feature.PLACEMENT_IN: _NO_LABELS,
    Feature.PLACEMENT_IN_SEVERAL: _NO_LABELS,
    Feature.PLACEMENT_NOT_IN: _NO_LABELS,
    Feature.PLACEMENT_EXISTS: _NO_LABELS,
    Feature.PLACEMENT_SPREAD: Claim(Support.WARNED, "there is one machine: nothing to spread over"),
    Feature.PLACEMENT_MAX_PER_NODE: Claim(Support.WARNED, "there is one machine, and it runs every replica"),
    Feature.LOGS: NATIVE,
    Feature.LOGS_FOLLOW: NATIVE,
}

OPTIONS = ("command", "args", "env")
_COMMAND_HINT = "plain processes need a command: write `command:`, or `backends.local.command` beside the image"


def check(service: Service) -> list[Issue]:
    """Every issue of ``service`` on this backend."""
    options = service.options("local")
    issues = issues_for(service, CLAIMS)
    if options.get("command"):
        # Who writes down what runs here instead of the image need not be told so.
        issues = [issue for issue in issues if issue.path != "image"]
    elif not service.command:
        issues.append(Issue(path="command", policy=Policy.REJECT, message=_COMMAND_HINT))
    return [*issues, *_options(options), *_signal(service), *_files(service), *_fixed_ports(service)]


def fixed_port_conflict(service: Service, replicas: int) -> str:
    """Why ``replicas`` processes cannot have the fixed ports, "" when they can."""
    fixed = [port for port in service.ports if port.published is not None]
    if fixed and replicas > 1:
        return f"port {fixed[0].published} exists once on this machine, so one replica can have it, not {replicas}"
    return ""


def _fixed_ports(service: Service) -> Iterator[Issue]:
    for port in service.ports:
        if port.published is None:
            continue
        path = f"{join('ports', port.name)}.published"
        if conflict := fixed_port_conflict(service, service.replicas or 1):
            yield Issue(path=path, policy=Policy.REJECT, message=f"{conflict}; leave `published` out for free ports")
        elif service.rollout.strategy is not Strategy.RECREATE and service.rollout.max_surge.value:
            message = (
                f"port {port.published} exists once on this machine, so the old process must go before the new one comes:"
                " set rollout max_surge 0 and max_unavailable 1, or leave `published` out"
            )
            yield Issue(path=path, policy=Policy.REJECT, message=message)


def _options(options: Mapping[str, object]) -> Iterator[Issue]:
    for name, value in options.items():
        path = f"backends.local.{name}"
        if name not in OPTIONS:
            message = f"the local backend has no option {name!r}; it knows {', '.join(OPTIONS)}"
            yield Issue(path=path, policy=Policy.REJECT, message=message)
        elif name == "env":
            if not isinstance(value, Mapping) or not all(isinstance(v, str) for v in value.values()):
                yield Issue(path=path, policy=Policy.REJECT, message="must map names to texts")
        elif not isinstance(value, (list, tuple)) or not all(isinstance(word, str) for word in value):
            yield Issue(path=path, policy=Policy.REJECT, message="must be a list of texts")


def _signal(service: Service) -> Iterator[Issue]:
    if service.stop.signal not in signal.Signals.__members__:
        message = f"this machine has no signal {service.stop.signal!r}"
        yield Issue(path="stop.signal", policy=Policy.REJECT, message=message)


def _files(service: Service) -> Iterator[Issue]:
    for target in service.files:
        if confined(target) is None:
            message = "the path must not leave the instance's directory"
            yield Issue(path=join("files", target), policy=Policy.REJECT, message=message)
