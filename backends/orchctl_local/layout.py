"""Where everything of one context lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from orchctl.core.context import Context
from orchctl.core.files import path_part
from orchctl.errors import ConfigError

OWN = "orchctl-local"
"""Below the user's ``state_dir``, which may hold anything: nothing beside this directory is ever written or removed."""
MARK = "owned-by-orchctl"
"""Stands in every context's directory from before anything else until after everything else: without it, nothing in
there is ours."""

# Everything that may lie in a context's directory; only these are ever removed. The lock goes last: what is held while the
# others go must not be taken by somebody else meanwhile.
TREES = ("desired", "status", "generations", "instances", "secrets", "programs", "store", "tmp")
FILES = (
    "sequence",
    "daemon.lock",
    "daemon.stopping",
    "keeper.beat",
    "keeper.log",
    "keeper.log.1",
    "supervisord.conf",
    "supervisord.log",
    "supervisord.log.1",
    "supervisord.pid",
    "supervisor.sock",
    "launch",
    "keep",
    MARK,
    "state.lock",
)


@dataclass(frozen=True, slots=True)
class Layout:
    """The paths under ``root``, one context's directory (0700)."""

    root: Path
    parent: Path | None = None
    """A directory above that orchctl made for all its contexts; goes with the last of them."""

    @property
    def desired(self) -> Path:
        return self.root / "desired"

    @property
    def store(self) -> Path:
        return self.root / "store"

    @property
    def tmp(self) -> Path:
        return self.root / "tmp"

    @property
    def programs(self) -> Path:
        return self.root / "programs"

    @property
    def mark(self) -> Path:
        return self.root / MARK

    @property
    def state_lock(self) -> Path:
        return self.root / "state.lock"

    @property
    def daemon_lock(self) -> Path:
        """Held by supervisord as long as it lives; its content is that process's id."""
        return self.root / "daemon.lock"

    @property
    def daemon_stopping(self) -> Path:
        """Written by the keeper before it asks supervisord to end."""
        return self.root / "daemon.stopping"

    @property
    def keeper_beat(self) -> Path:
        """Touched by the keeper about once a second."""
        return self.root / "keeper.beat"

    @property
    def sequence(self) -> Path:
        return self.root / "sequence"

    def desired_file(self, namespace: str, name: str) -> Path:
        return self.desired / path_part(namespace) / f"{path_part(name)}.json"

    def status_file(self, namespace: str, name: str) -> Path:
        return self.root / "status" / path_part(namespace) / f"{path_part(name)}.json"

    def generation_file(self, namespace: str, name: str, generation: str) -> Path:
        return self._of("generations", namespace, name) / f"{path_part(generation)}.json"

    def secret_file(self, namespace: str, name: str, digest: str) -> Path:
        return self._of("secrets", namespace, name) / path_part(digest)

    def instances(self, namespace: str, name: str) -> Path:
        return self._of("instances", namespace, name)

    def of_service(self, namespace: str, name: str) -> tuple[Path, ...]:
        """Everything generated for one service, its definition not included; last what tells that it is there."""
        return (
            self._of("generations", namespace, name),
            self._of("secrets", namespace, name),
            self.instances(namespace, name),
            self.status_file(namespace, name),
        )

    def _of(self, tree: str, namespace: str, name: str) -> Path:
        return self.root / tree / path_part(namespace) / path_part(name)


def layout_of(context: Context) -> Layout:
    """A directory of its own for each context, under ``state_dir`` of the settings or orchctl's own.

    Before there was a mark, ``state_dir`` itself was the directory. It stays so where nothing else lies in it;
    ConfigError where something does.
    """
    configured = context.settings.get("state_dir")
    if not configured:
        parent = (context.state_dir / "local").absolute()
        return Layout(parent / path_part(context.name), parent)
    given = (context.base_dir / Path(str(configured)).expanduser()).absolute()
    own = Layout(given / OWN / path_part(context.name), given / OWN)
    former = Layout(given)
    if former.mark.exists() and not own.root.exists():
        return former
    if own.root.exists() or not is_former(former):
        return own
    if strange := sorted(others(former)):
        kept = "desired generations secrets store sequence"
        raise ConfigError(
            f"{given} holds services of context {context.name!r} among other things ({', '.join(strange[:3])}); "
            f"they belong in a directory of their own, {own.root}",
            hint=f"stop what runs there (kill the process in {former.daemon_lock}), make that directory with mode 0700, "
            f"move {kept} there as far as they are orchctl's, and run the command again: it starts the services anew",
        )
    return former


def is_former(layout: Layout) -> bool:
    """Made by an orchctl that did not leave a mark yet."""
    try:
        return layout.sequence.read_bytes().isdigit() and layout.store.is_dir() and layout.desired.is_dir()
    except OSError:
        return False


def others(layout: Layout) -> set[str]:
    """What lies there and is not ours by name; everything where there is nothing by which to tell."""
    try:
        found = {path.name for path in layout.root.iterdir()}
    except (FileNotFoundError, NotADirectoryError):
        return set()
    return found - {*TREES, *FILES}


def confined(target: str) -> PurePosixPath | None:
    """The path of a file below the instance's directory; None when it would leave it."""
    path = PurePosixPath(target)
    parts = path.parts[1:] if path.is_absolute() else path.parts
    return None if not parts or ".." in parts or "\0" in target else PurePosixPath(*parts)
