"""The contract between orchctl and an orchestrator: four small abstract classes.

``Backend`` knows without asking anybody. ``Connection`` is one open context. ``Reader`` cannot
write and cannot obtain a ``Writer``; a plan, a status, a dry run get only a Reader, so that they
cannot write is a fact of the types. ``Writer`` exists only inside a lease, whose ``Fence`` it asks
before every mutating request.

Rollback, waiting, history and verdicts are not here: they live once, in the engine.

Rules for adapters (each one a test of ``orchctl.testing.contract``):

* Every call has connect and read time-outs. Only errors of ``orchctl.errors`` come out.
* Every write is conditional on ``expect``. A write whose answer was lost is
  ``OutcomeUnknown``; it is never sent again by the adapter.
* A backend that works on the object for somebody else and takes no change meanwhile is ``Locked``; the engine waits.
* Objects that are not ours (``Live.owned`` False) are never touched.
* Objects have names with an optional variant suffix; never assume one native object per service.
* All methods are synchronous. A Reader and a Writer are used by one thread at a time; a Store may
  be used by another thread than the Reader of the same Connection.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self

from orchctl.core.secret import Secret
from orchctl.core.service import SecretRef, Service

if TYPE_CHECKING:  # offline verbs need none of these at run time, and each dataclass costs half a millisecond
    from types import TracebackType

    from orchctl.core.capability import Claim, Feature
    from orchctl.core.check import Check
    from orchctl.core.context import Context
    from orchctl.core.endpoint import Endpoint, LogLine
    from orchctl.core.mesh import Mesh
    from orchctl.core.plan import Issue, NativeObject, Plan
    from orchctl.core.rollout import Handle, Progress
    from orchctl.core.store import Store

Secrets = Mapping[SecretRef, Secret]


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """A service's definition as it stands on the backend; no instances.

    ``expect`` is the version to make the next write conditional on. ``document`` is the definition
    in the spec's shape (``core.document``), for the diff. ``restarts`` is another text after every ``Writer.restart`` and
    stays the same otherwise, as long as the template does: the proof that a restart arrived. ``owned`` False: an object of that name
    exists and is not orchctl's. ``revision`` 0 = none stands on it. ``image`` is the reference as sent.
    """

    namespace: str
    name: str
    expect: str
    owned: bool = True
    document: Mapping[str, Any] = field(default_factory=dict)
    template_hash: str = ""
    restarts: str = ""
    revision: int = 0
    replicas: int = 0
    image: str = ""


class Fence(Protocol):
    """Held lease, as a Writer sees it."""

    def check(self) -> None:
        """Return if the lease is still ours, renewing it when due; raises LeaseLost otherwise. May do I/O."""


class Backend(ABC):
    """One orchestrator. No network and no SDK until ``connect``."""

    name: ClassVar[str]

    @abstractmethod
    def capabilities(self) -> Mapping[Feature, Claim]:
        """An answer for every Feature."""

    @abstractmethod
    def check(self, service: Service) -> Sequence[Issue]:
        """What would be emulated, approximated or refused: all of it, offline."""

    @abstractmethod
    def render(self, service: Service) -> Sequence[NativeObject]:
        """The native objects, deterministic and offline. ``service.replicas`` None renders as 1.

        Raises UnsupportedFeature when ``check`` has a REJECT.
        """

    @abstractmethod
    def project(self, service: Service) -> Mapping[str, Any]:
        """The document that ``Live.document`` will show once ``service`` is deployed; offline.

        Made by normalising the rendered objects, so that a difference to the live document is a
        difference on the backend.
        """

    @abstractmethod
    def restarts(self, path: str) -> bool:
        """Does changing this document path replace instances?"""

    @abstractmethod
    def connect(self, context: Context) -> Connection:
        """Open the context. May do I/O (version negotiation); Unreachable, AuthRefused, UsageError."""

    def access(self, namespace: str) -> Sequence[NativeObject]:  # noqa: ARG002 - for those who have such objects
        """The objects that grant exactly what orchctl needs in ``namespace``, offline; empty where the backend has
        no such objects."""
        return ()


class Connection(ABC):
    """One open context; a context manager. ``endpoint`` is the address in words, for the first line of every write.
    ``mesh`` is where the context says who may call a service; no adapter has to do with it."""

    endpoint: str
    mesh: Mesh | None = None

    @property
    @abstractmethod
    def reader(self) -> Reader: ...

    @property
    @abstractmethod
    def store(self) -> Store: ...

    @abstractmethod
    def writer(self, fence: Fence) -> Writer:
        """A Writer that asks ``fence.check()`` before every mutating request."""

    @abstractmethod
    def set_patience(self, seconds: float) -> None:
        """From now on a read gives up after ``seconds``, or after the adapter's own limit where that is shorter.

        The waiter calls it before each look, so that a backend that hangs does not hold a command beyond its
        deadline. Nothing to do where reads cannot hang.
        """

    def refusals(self, service: Service) -> Sequence[Issue]:  # noqa: ARG002 - for those who speak several versions
        """What this very server cannot do although its kind can (an older version). May ask for the version."""
        return ()

    def checks(self, namespace: str) -> Iterator[Check]:  # noqa: ARG002 - for those who know more
        """What ``orchctl doctor`` should know beyond "it answers": version, permissions, clock, certificates.
        Looks only; one finding after the other, as they come."""
        yield from ()

    @abstractmethod
    def close(self) -> None: ...

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Reader(ABC):
    """Looks, and cannot write."""

    @abstractmethod
    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        """Definitions by name, in O(1) requests. Empty ``names`` = all of ours in the namespace.

        A name that was asked for is also found when it is foreign (``owned`` False); absent names
        are not in the result.
        """

    @abstractmethod
    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        """Definition and instances of several services by name, in O(1) requests; same rule for ``names``."""

    def look(self, namespace: str, names: Sequence[str] = ()) -> tuple[Mapping[str, Live], Mapping[str, Progress]]:
        """``live`` and ``progress`` of the same services; one request where the backend shows both at once."""
        return self.live(namespace, names), self.progress(namespace, names)

    @abstractmethod
    def poll(self, handle: Handle) -> Progress:
        """One look at one rollout; no sleeping, no writing. A service that is gone has ``template_hash`` ""
        and whatever instances are still stopping."""

    @abstractmethod
    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        """Where the instances can be reached; NotFound when there is no such service."""

    @abstractmethod
    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        """Output of one instance, or of all, merged, oldest first. ``tail`` 0 = everything;
        ``since_ms`` is epoch time. An instance that has ended is readable while the backend keeps it."""

    @abstractmethod
    def pin(self, service: Service) -> str:
        """The digest ("sha256:...") that ``service.image`` means now; "" where this backend does not pin, or when
        the registry does not know the image (the rollout's verdict then names it)."""

    @abstractmethod
    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:
        """The references of ``service`` that this backend cannot fill by itself: those into its store that do NOT exist
        there, and those of a provider, with a version, whose value it does not hold (any more)."""


class Writer(ABC):
    """Changes things; exists only while a lease is held."""

    @abstractmethod
    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        """Make ``plan.service`` the definition, conditional on ``plan.expect``.

        StalePlan when the live object moved, ForeignObject, OutcomeUnknown. ``revision`` is noted
        where changing it restarts nothing. ``secrets`` has the value of every provider reference that
        ``missing_secrets`` named; what is held already is used.
        """

    @abstractmethod
    def scale(self, namespace: str, name: str, replicas: int, *, expect: str) -> Handle:
        """Change the count and nothing else."""

    @abstractmethod
    def restart(self, namespace: str, name: str, *, expect: str) -> Handle:
        """Replace every instance under the service's rollout policy without changing the template hash."""

    @abstractmethod
    def pause(self, handle: Handle) -> None:
        """Stop a rollout of ours where it is; instances that run keep running. Idempotent."""

    def remind(self, handle: Handle, *, expect: str) -> None:  # noqa: B027 - for those who set ``Progress.stalled``
        """Send the definition that stands there once more, as it is: changes nothing, restarts nothing.

        For a backend that can leave a rollout undone. StalePlan when the live object moved.
        """

    @abstractmethod
    def delete(self, namespace: str, name: str, *, expect: str) -> Handle:
        """Start the removal; the engine polls until nothing is left."""

    @abstractmethod
    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        """Remove generated objects (configs, secrets, files, networks) of this service that none of
        ``keep`` refers to. With an empty ``keep`` nothing of the service may remain."""
