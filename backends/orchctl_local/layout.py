"""Where everything of one context lies on disk."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from orchctl.core.context import Context

# Everything that may lie in a context's directory. Only these are ever removed: a user may have pointed
# ``state_dir`` at a directory that holds other things.
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
        return self.desired / namespace / f"{name}.json"

    def status_file(self, namespace: str, name: str) -> Path:
        return self.root / "status" / namespace / f"{name}.json"

    def generation_file(self, namespace: str, name: str, generation: str) -> Path:
        return self.root / "generations" / namespace / name / f"{generation}.json"

    def secret_file(self, namespace: str, name: str, digest: str) -> Path:
        return self.root / "secrets" / namespace / name / digest

    def instances(self, namespace: str, name: str) -> Path:
        return self.root / "instances" / namespace / name

    def of_service(self, namespace: str, name: str) -> tuple[Path, ...]:
        """Everything generated for one service, its definition not included; last what tells that it is there."""
        return (
            self.root / "generations" / namespace / name,
            self.root / "secrets" / namespace / name,
            self.instances(namespace, name),
            self.status_file(namespace, name),
        )


def layout_of(context: Context) -> Layout:
    """``state_dir`` of the settings, or a directory named after the context under orchctl's own."""
    configured = context.settings.get("state_dir")
    if configured:
        return Layout((context.base_dir / Path(str(configured)).expanduser()).absolute())
    parent = (context.state_dir / "local").absolute()
    return Layout(parent / quote(context.name, safe=""), parent)


def confined(target: str) -> PurePosixPath | None:
    """The path of a file below the instance's directory; None when it would leave it."""
    path = PurePosixPath(target)
    parts = path.parts[1:] if path.is_absolute() else path.parts
    return None if not parts or ".." in parts or "\0" in target else PurePosixPath(*parts)
