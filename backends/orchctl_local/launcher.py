"""Becomes the service's process: run as ``python -I -S launcher.py DIRECTORY`` by supervisord, standard library only.

Everything that a user wrote (command, environment, secrets) is read from ``launch.json`` (0600), so that
supervisor's configuration language never sees it.
"""

import ctypes
import json
import os
import signal
import sys
import time

NOT_FOUND, NOT_EXECUTABLE = 127, 126
_PR_SET_PDEATHSIG = 1


def die_with_parent(parent: int) -> None:
    """Ask Linux to kill this process when ``parent`` dies, and go at once if it died before we asked.

    Without this a killed supervisord leaves its children running and a restarted one starts them a
    second time (Supervisor/supervisor#199).
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def main(directory: str) -> None:
    """Replace this process by the command in ``directory``/launch.json; its beginning or its failure is noted there."""
    with open("daemon.lock") as file:
        die_with_parent(int(file.read().partition(" ")[0]))
    with open(os.path.join(directory, "launch.json")) as file:
        launch = json.load(file)
    failed = os.path.abspath(os.path.join(directory, "launch-failed.json"))
    launched = os.path.abspath(os.path.join(directory, "launched"))
    # Python ignores SIGPIPE and exec keeps that; supervisor's stdin pipe would never end.
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    command = launch["command"]
    try:
        os.chdir(launch["directory"])
    except OSError as error:
        give_up(failed, f"working directory {launch['directory']}: {error.strerror}", NOT_EXECUTABLE)
    with open(launched, "w") as file:
        file.write(str(time.monotonic_ns() // 1_000_000))
    os.umask(0o022)
    try:
        os.execvpe(command[0], command, launch["environment"])
    except FileNotFoundError:
        give_up(failed, f"executable not found: {command[0]}", NOT_FOUND)
    except (OSError, ValueError) as error:
        give_up(failed, f"cannot execute {command[0]}: {getattr(error, 'strerror', None) or error}", NOT_EXECUTABLE)


def give_up(failed: str, message: str, code: int) -> None:
    os.write(2, f"orchctl: {message}\n".encode())
    with open(failed, "w") as file:
        json.dump({"message": message, "code": code}, file)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1])
