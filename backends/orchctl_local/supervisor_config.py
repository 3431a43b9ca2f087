"""The text of supervisor's configuration. Nothing that a user wrote gets into it: only names of ours."""

from __future__ import annotations

import resource
import shlex
from dataclasses import dataclass

KEEPER = "keeper"
_MOST_FILES = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """One process for supervisor. ``directory`` is the instance's, relative to the context's."""

    name: str
    directory: str
    stop_signal: str
    grace_ms: int


def main_config() -> str:
    """supervisord and the keeper. Paths are relative: the daemon's working directory is the context's."""
    files = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], _MOST_FILES)
    if files < 0:
        files = _MOST_FILES
    return f"""\
[supervisord]
logfile=supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
loglevel=info
pidfile=supervisord.pid
nocleanup=true
minfds={files}
minprocs=1
umask=077

[unix_http_server]
file=supervisor.sock
chmod=0600

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface

[program:{KEEPER}]
command=/bin/sh keep
autostart=true
autorestart=true
startretries=1000000
redirect_stderr=true
stdout_logfile=keeper.log
stdout_logfile_maxbytes=1MB
stdout_logfile_backups=1
stopwaitsecs=5
; Stopped before the services, so that their ends are not taken for crashes.
priority=1000

[include]
files=programs/*.conf
"""


def program_config(program: Program) -> str:
    """Started once by supervisor; starting again is the keeper's decision, which counts every exit."""
    return f"""\
[program:{program.name}]
command=/bin/sh launch {program.directory}
autostart=true
autorestart=false
startsecs=0
startretries=0
stopsignal={program.stop_signal.removeprefix("SIG")}
stopwaitsecs={-(-program.grace_ms // 1000)}
stopasgroup=true
killasgroup=true
stdout_logfile={program.directory}/stdout.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=1
stderr_logfile={program.directory}/stderr.log
stderr_logfile_maxbytes=10MB
stderr_logfile_backups=1
"""


def launch_script(python: str, launcher: str) -> str:
    """A script, so that no path needs quoting in supervisor's configuration (``%``, ``;`` and spaces mean things there)."""
    return f'exec {shlex.quote(python)} -I -S {shlex.quote(launcher)} "$@"\n'


def keep_script(python: str) -> str:
    return f"exec {shlex.quote(python)} -m orchctl_local.keeper\n"
