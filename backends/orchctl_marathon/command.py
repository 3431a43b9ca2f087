"""Service -> what Marathon runs: a shell line, an argument list, or the image's own entrypoint. Pure.

A shell line is needed where something is known on the agent only (the port of a process that shares its host) or has to
be done first (files). It always ends in ``exec``: the process gets its signals itself.
"""

from __future__ import annotations

import base64
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from orchctl.core.environment import expand, port_environment
from orchctl.core.service import Service
from orchctl_marathon.options import options_of

FILES = "ORCHCTL_FILES"
"""Where a process finds its files: it has no file system of its own, so they are put below its sandbox."""

_FOLDER = "orchctl-files"
_MARK = "\0"  # no word of a command can have it


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """``line`` for /bin/sh, or ``args`` behind the image's entrypoint or ``entrypoint``; all empty = the image's own."""

    line: str = ""
    args: tuple[str, ...] = ()
    entrypoint: str = ""


def is_process(service: Service) -> bool:
    """Runs on the agent itself, without a container."""
    return not service.image or bool(options_of(service).command)


def shares_host(service: Service) -> bool:
    """Its ports are the host's, so that their numbers are known when it starts and not before."""
    network = options_of(service).network
    return network == "host" or (not network and is_process(service))


def words_of(service: Service) -> tuple[str, ...]:
    """What is to be run, () where the image decides."""
    return options_of(service).command or (*service.command, *service.args)


def file_variable(number: int) -> str:
    """The variable that carries the content of the n-th file (in the order of their paths) to the shell line."""
    return f"ORCHCTL_FILE_{number}"


def file_paths(service: Service) -> list[str]:
    """Of the files that are not secrets, in order."""
    return sorted(path for path, file in service.files.items() if file.secret is None)


def environment(service: Service) -> dict[str, str]:
    """The variables that are sent. Where the host is shared Marathon itself gives the ports, under the same names; in a
    container it would give the host's numbers, where the spec means those of the container."""
    given = {k: v for k, v in service.env.items() if isinstance(v, str)}
    ports = {} if shares_host(service) else port_environment(service)
    contents = (service.files[path].content or b"" for path in file_paths(service))
    files = {file_variable(n): base64.b64encode(c).decode("ascii") for n, c in enumerate(contents)}
    return ports | given | files


def needs_shell(service: Service) -> bool:
    """No argument list can say it."""
    if is_process(service) or file_paths(service):
        return True
    return options_of(service).containerizer == "mesos" and bool(service.command)


def unreachable_ports(service: Service) -> list[str]:
    """Names of ports whose variable can be given to no process: there is no shell line to do it in."""
    return [] if needs_shell(service) else [service.ports[n].name for n in _misnamed_ports(service).values()]


def unknown_ports(service: Service) -> list[str]:
    """Words of an argument list that name a port whose number only the agent will know."""
    if not shares_host(service) or needs_shell(service):
        return []
    words = (*service.command, *service.args)
    return [w for w, marked in zip(words, _marked(service, words), strict=True) if _MARK in marked]


def run_of(service: Service) -> Run:
    words = words_of(service)
    if needs_shell(service):
        return Run(line=_line(service, words))
    variables = environment(service)
    if service.command:
        first, *rest = expand(words, variables)
        return Run(entrypoint=first, args=tuple(rest))
    return Run(args=tuple(expand(service.args, variables)))


def check_line(service: Service, words: Sequence[str]) -> str:
    """``words`` for the shell of a check, which knows nothing of what the process's own shell line did."""
    return " && ".join([*_port_steps(service), shell_command(service, words)])


def shell_command(service: Service, words: Sequence[str]) -> str:
    """``words`` for a shell, each meaning exactly itself but for references to ports, which the shell fills in."""
    return " ".join(_shell_word(w) for w in _marked(service, words))


def _line(service: Service, words: Sequence[str]) -> str:
    steps = [*_file_steps(service), *([f"cd {shlex.quote(service.working_dir)}"] if service.working_dir else [])]
    return " && ".join([*_port_steps(service), *steps, f"exec {shell_command(service, words)}"])


def _port_steps(service: Service) -> list[str]:
    return [f'export {name}="$PORT{number}"' for name, number in _misnamed_ports(service).items()]


def _misnamed_ports(service: Service) -> dict[str, int]:
    """Variable -> number of the port, for those that Marathon calls otherwise.

    It makes a name upper case and leaves the hyphens (PORT_HTTP-API), which no shell can read; by their numbers (PORT0)
    all ports are there.
    """
    if not shares_host(service):
        return {}
    variables = {f"PORT_{p.name.upper().replace('-', '_')}": n for n, p in enumerate(service.ports) if "-" in p.name}
    return {name: number for name, number in variables.items() if name not in service.env}


def _file_steps(service: Service) -> list[str]:
    paths = file_paths(service)
    if not paths:
        return []
    root = f'"${FILES}"' if is_process(service) else ""
    steps = [f'export {FILES}="$PWD/{_FOLDER}"'] if root else []
    for number, path in enumerate(paths):
        target, folder = root + shlex.quote(path), root + shlex.quote(path.rpartition("/")[0] or "/")
        steps += [
            f"mkdir -p {folder}",
            f'printf %s "${file_variable(number)}" | base64 -d > {target}',
            f"chmod {service.files[path].mode} {target}",
        ]
    return [*steps, f"unset {' '.join(file_variable(n) for n in range(len(paths)))}"]


def _marked(service: Service, words: Sequence[str]) -> list[str]:
    """References filled in, those to ports of the host as marked names."""
    variables: Mapping[str, str] = environment(service)
    if shares_host(service):
        variables = {**{n: f"{_MARK}{n}{_MARK}" for n in port_environment(service)}, **variables}
    return expand(words, variables)


def _shell_word(word: str) -> str:
    parts = word.split(_MARK)
    text = "".join(f'"${{{part}}}"' if n % 2 else shlex.quote(part) if part else "" for n, part in enumerate(parts))
    return text or "''"
