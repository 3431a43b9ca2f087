"""The way out: every outcome and every failure becomes an exit code and a message. The only ``sys.exit``."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import NoReturn, TextIO

from orchctl.cli.command import pasted, talks_json, value_of
from orchctl.cli.listeners import defused, tell_failure
from orchctl.cli.views.errors import error_page
from orchctl.cli.views.style import wants_colour
from orchctl.errors import BackendBug, OrchctlError, SpecError

_SIGINT, _SIGPIPE = 128 + 2, 128 + 13


def leave(arguments: Sequence[str]) -> NoReturn:
    """Run the command line and end the process with its exit code."""
    if os.getpid() == 1:
        from orchctl.cli.first_process import step_aside

        step_aside()
    # Until ``session.opened``: starting and loading specs make many objects and no garbage; the collector would visit
    # all of them again and again (a fifth of the time for a thousand specs, 2026-11).
    gc.disable()
    for stream in (sys.stdout, sys.stderr):
        # What the terminal cannot encode is shown escaped instead of ending the command.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        with defused():
            code = _run(arguments)
    except BrokenPipeError:
        code = _SIGPIPE
    _end(code)


def leave_unwritten(error: OSError) -> NoReturn:
    """End the process when stdout did not take what needed no command line: ``--help``, ``--version``."""
    _end(_SIGPIPE if isinstance(error, BrokenPipeError) else _tell(_bug(error), sys.argv[1:]))


def _end(code: int) -> NoReturn:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:  # told, where that was possible; it must not fail again at interpreter exit (code 120)
            _drop(stream)
    gc.freeze()  # the interpreter would look through everything once more (a twentieth of a short command, 2026-11)
    sys.exit(code)


def _run(arguments: Sequence[str]) -> int:
    from orchctl.cli.app import run

    try:
        code = run(arguments)
        sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        _tell_interrupt(arguments)
        return _SIGINT
    except BrokenPipeError:
        raise
    except OrchctlError as error:
        return _tell(error, arguments)
    except Exception as error:  # noqa: BLE001 - the seam: what nobody expected ends here as one sentence
        return _tell(_bug(error), arguments)


def _bug(error: Exception) -> OrchctlError:
    """An adapter's exception names the adapter; anything else is ours."""
    bug: OrchctlError
    if adapter := _adapter_of(error.__traceback__):
        bug = BackendBug(adapter, error)
    elif isinstance(error, OSError) and error.strerror:  # a full disk, a state directory of somebody else
        what = f"{error.filename}: " if error.filename else "writing the output: "
        bug = OrchctlError(f"{what}{error.strerror}")
    else:
        bug = OrchctlError(
            f"orchctl failed unexpectedly: {type(error).__name__}: {error}",
            hint="this is a bug in orchctl; please report it with the output of -v",
        )
    bug.__cause__ = error
    return bug


def _adapter_of(trace: TracebackType | None) -> str:
    while trace is not None:
        package, _, _ = str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")
        if package.startswith("orchctl_"):
            return package.removeprefix("orchctl_")
        trace = trace.tb_next
    return ""


def _tell(error: OrchctlError, arguments: Sequence[str]) -> int:
    for problem in (error, *(error.problems if isinstance(error, SpecError) else ())):
        problem.hint = pasted(problem.hint, arguments)
    kind = asked_output(arguments)
    if kind:
        from orchctl.cli.views.documents import error_document, write_document

        try:
            write_document(sys.stdout, error_document(error), kind)
        except OSError:  # stdout itself is what failed: the page below says so
            _drop(sys.stdout)
    with suppress(OSError):  # a terminal that is gone does not change how the command ended
        if talks_json(arguments):
            _write_lines(error, _trace(error, arguments))
        else:
            sys.stderr.write(_page(error, arguments))
    tell_failure(error, arguments)
    return error.exit_code


def _page(error: OrchctlError, arguments: Sequence[str]) -> str:
    mode = value_of(("--color",), arguments) or "auto"
    page = error_page(error, colour=wants_colour(mode, os.environ, is_terminal=sys.stderr.isatty()))
    if trace := _trace(error, arguments):
        from orchctl.cli.views.sanitise import sanitise_lines

        page += "".join(f"  | {line}\n" for line in sanitise_lines(trace).splitlines())
    return page


def _trace(error: OrchctlError, arguments: Sequence[str]) -> str:
    """Of a bug, with ``-v``; without the values of variables, which may be secrets."""
    if error.exit_code != OrchctlError.exit_code or not {"-v", "--verbose"} & {*arguments}:
        return ""
    import traceback

    return "".join(traceback.format_exception(error.__cause__ or error))


def _write_lines(error: OrchctlError, trace: str) -> None:
    from orchctl.cli.views.documents import error_document, message_document, write_document

    write_document(sys.stderr, error_document(error), "jsonl")
    if trace:
        write_document(sys.stderr, message_document(trace, "error"), "jsonl")


def _tell_interrupt(arguments: Sequence[str]) -> None:
    if talks_json(arguments):
        from orchctl.cli.views.documents import message_document, write_document

        write_document(sys.stderr, message_document("interrupted", "error"), "jsonl")
    else:
        sys.stderr.write("interrupted\n")


def asked_output(arguments: Sequence[str]) -> str:
    """``json``, ``jsonl`` or ``yaml`` when the command line asks for documents, also when it cannot be read further."""
    kind = value_of(("-o", "--output"), arguments)
    return kind if kind in ("json", "jsonl", "yaml") else ""


def _drop(stream: TextIO) -> None:
    """Let what is still buffered go nowhere."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    except (OSError, ValueError):
        return
