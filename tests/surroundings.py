"""The same surroundings for every test run, whoever starts it and wherever.

A launcher may hand down ignored signals (``nohup``, a background job of a shell), a closed standard input, colours, a narrow
terminal, a long TMPDIR, proxies, or the address of somebody's own Docker, Kubernetes, Marathon or Consul. None of that is
part of a test. ``tests/conftest.py`` calls ``clean`` before anything else is imported, in the controller and, by
inheritance, in its workers; what a test needs of the outside (a registry of packages) it asks ``outside`` for.
"""

from __future__ import annotations

import atexit
import contextlib
import importlib
import json
import os
import secrets
import shutil
import signal
import tempfile
from collections.abc import MutableMapping
from pathlib import Path

from tests.servers import ledger

_KEPT = ("PATH", "USER", "LOGNAME", "LD_LIBRARY_PATH", "KUBEBUILDER_ASSETS", "DEBIAN_FRONTEND")
_KEPT_FAMILIES = ("ORCHCTL_TEST_", "ORCHCTL_UPDATE", "PYTEST_", "COV_CORE_")
_OUTSIDE = "ORCHCTL_TEST_OUTSIDE"
_OF_INSTALLERS = (
    *("HOME", "XDG_CACHE_HOME", "TMPDIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "ALL_PROXY"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
)
_OF_INSTALLERS_FAMILIES = ("PIP_", "GO", "CGO_")
_FIXED = {"LANG": "C.UTF-8", "TERM": "xterm-256color", "TZ": "UTC"}
_SIGNALS = (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTSTP, signal.SIGCHLD)
_SHORT = Path("/tmp")
"""A socket's path is at most 107 characters long, and test directories are deep."""


def clean() -> None:
    """Make them so for this process and for all that it starts. Done once a run: workers inherit it."""
    default_signals()
    os.umask(0o022)
    _standard_input()
    _forget_the_terminal()
    os.fsync = _written_some_time
    if _OUTSIDE not in os.environ:
        settle(os.environ)
    tempfile.tempdir = None  # it may have been asked for already


def settle(environ: MutableMapping[str, str]) -> None:
    """Leave what belongs into a test, and note for ``outside`` what installers need."""
    wanted = {k: v for k, v in environ.items() if k.upper() in _OF_INSTALLERS or k.startswith(_OF_INSTALLERS_FAMILIES)}
    kept = {k: v for k, v in environ.items() if k in _KEPT or k.startswith(_KEPT_FAMILIES)}
    short = str(_SHORT) if os.access(_SHORT, os.W_OK | os.X_OK) else tempfile.gettempdir()
    own = _own_folder(Path(short))
    environ.clear()
    # What failed tests leave for a look is pytest's to keep for some runs: it does not go with the run's own folder.
    environ |= {"PYTEST_DEBUG_TEMPROOT": short} | kept | _FIXED
    environ |= {"TMPDIR": str(own / "tmp"), "HOME": str(own / "home"), _OUTSIDE: json.dumps(wanted)}


def _forget_the_terminal() -> None:
    """readline, when pytest's debugger imports it, notes the terminal's size for all children and behind Python's back."""
    with contextlib.suppress(ImportError):
        importlib.import_module("readline")
    for name in ("COLUMNS", "LINES"):
        os.unsetenv(name)


def _written_some_time(file: int) -> None:
    """Only a power cut can tell, and no test brings one: a seventh of what the engine's tests took was waiting for a disk.
    A descriptor that is none is still an error."""
    os.fstat(file)


def outside() -> dict[str, str]:
    """The environment of programs that install or build something: proxies, authorities and caches as the user has them."""
    return {k: v for k, v in os.environ.items() if k != _OUTSIDE} | _noted()


def home() -> Path:
    """Of the user who runs the tests, where caches are kept; HOME is an empty folder for the tests."""
    return Path(_noted().get("HOME") or Path.home())


def cache_home() -> Path:
    noted = _noted().get("XDG_CACHE_HOME") or os.environ.get("XDG_CACHE_HOME")
    return Path(noted) if noted else home() / ".cache"


def _noted() -> dict[str, str]:
    found: dict[str, str] = json.loads(os.environ.get(_OUTSIDE, "{}"))
    return found


def _own_folder(short: Path) -> Path:
    """Of this run, with a home and a place for what is temporary in it, both empty; removed at its end, or by a sweep."""
    folder = short / f"orchctl-run-{secrets.token_hex(4)}"
    ledger.note("path", folder)
    for name in ("home", "tmp"):
        (folder / name).mkdir(parents=True, mode=0o700)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def default_signals() -> None:
    """Ignored signals are inherited by every child; a blocked one is too."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
    for number in _SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)


def _standard_input() -> None:
    """Closed, its number would be given to the next file that is opened."""
    try:
        os.fstat(0)
    except OSError:
        os.open(os.devnull, os.O_RDONLY)
