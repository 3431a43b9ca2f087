"""The real clock, with real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchctl.engine.clock import SystemClock
from orchctl.errors import Interrupted
from tests.children import LONGEST_S, limited, with_default_signals
from tests.servers.waiting import until

LONG_S = 3600.0
"""What is not interrupted hangs, and is stopped by the limit of every test."""


@pytest.fixture(autouse=True)
def not_under_nohup() -> Iterator[None]:
    """Whoever started the tests."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


def _asleep(clock: SystemClock) -> threading.Thread:
    """A thread that sleeps long; it ends when the sleep is interrupted."""

    def sleep() -> None:
        with pytest.raises(Interrupted):
            clock.sleep(LONG_S)

    thread = threading.Thread(target=sleep, daemon=True)
    thread.start()
    return thread


def _waits_in_poll(thread: threading.Thread) -> bool:
    state = Path(f"/proc/self/task/{thread.native_id}/stat").read_text().rpartition(")")[2].split()[0]
    frame = sys._current_frames().get(thread.ident or 0)
    return state == "S" and frame is not None and frame.f_code.co_name == "wait"


def test_a_sleep_lasts_as_long_as_it_should() -> None:
    clock = SystemClock()
    before = clock.now()
    clock.sleep(0.0015)
    clock.sleep(-1)
    assert clock.now() - before >= 0.0015


def test_a_sleep_of_years_begins() -> None:
    clock = SystemClock()
    threading.Timer(0.01, clock.stop, [signal.SIGTERM]).start()
    with pytest.raises(Interrupted):
        clock.sleep(1e9)


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_sleep_of_the_main_thread(signum: signal.Signals) -> None:
    clock = SystemClock()
    with clock.on_signals():
        threading.Timer(0.02, os.kill, [os.getpid(), signum]).start()
        with pytest.raises(Interrupted) as caught:
            clock.sleep(LONG_S)
    assert caught.value.exit_code == 128 + signum


def test_a_signal_ends_the_sleep_of_every_worker_thread() -> None:
    clock = SystemClock()
    workers = [_asleep(clock) for _ in range(5)]
    until("all to wait", lambda: all(_waits_in_poll(w) for w in workers), every=0.001)
    with clock.on_signals():
        os.kill(os.getpid(), signal.SIGTERM)
        for worker in workers:
            worker.join(LONGEST_S)
    assert not any(worker.is_alive() for worker in workers)


def test_a_stop_before_the_first_sleep_is_not_forgotten() -> None:
    clock = SystemClock()
    clock.stop(signal.SIGTERM)
    with pytest.raises(Interrupted):
        clock.sleep(LONG_S)
    with pytest.raises(Interrupted):
        clock.check()


def test_the_first_of_several_stops_counts() -> None:
    clock = SystemClock()
    clock.sleep(0)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        clock.stop(signum)
    with pytest.raises(Interrupted) as caught:
        clock.sleep(LONG_S)
    assert caught.value.signum == signal.SIGTERM


def test_signals_are_handled_as_before_afterwards() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with SystemClock().on_signals():
        assert signal.getsignal(signal.SIGTERM) is not before
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_hangup_that_was_ignored_before_stays_ignored() -> None:
    """So nohup and a shell's ``trap '' HUP`` ask for it: what was begun goes on when the terminal is closed."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        clock = SystemClock()
        with clock.on_signals():
            os.kill(os.getpid(), signal.SIGHUP)
            clock.check()
            os.kill(os.getpid(), signal.SIGTERM)
            with pytest.raises(Interrupted) as caught:
                clock.check()
        assert caught.value.signum == signal.SIGTERM
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def _sleep_on(clock: SystemClock) -> None:
    while True:
        clock.sleep(0)


def test_signals_at_any_moment_never_hang_a_sleep() -> None:
    """The moment is another one each time; a handler that waits for a lock of the sleeper's hangs here."""
    for _ in range(100):
        clock = SystemClock()
        with clock.on_signals():
            # Processor time, because the timer of real time is the one that ends a test which hangs.
            signal.signal(signal.SIGVTALRM, signal.getsignal(signal.SIGTERM))
            try:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)
                with pytest.raises(Interrupted):
                    _sleep_on(clock)
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
                signal.signal(signal.SIGVTALRM, signal.SIG_DFL)


SECOND_SIGNAL = """
import threading
import time
from collections.abc import Iterator
from orchctl.engine.clock import SystemClock
from orchctl.errors import Interrupted
clock = SystemClock()
with clock.on_signals():
    print("sleeping", flush=True)
    try:
        clock.sleep(3600)
    except Interrupted:
        print("interrupted", flush=True)
        threading.Thread(target=threading.Event().wait).start()
        threading.Event().wait()
"""


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_second_signal_leaves_at_once(second: signal.Signals) -> None:
    command = [sys.executable, "-c", SECOND_SIGNAL]
    with (
        subprocess.Popen(
            command, stdout=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=with_default_signals
        ) as process,
        limited(process),
    ):
        assert process.stdout is not None
        assert process.stdout.readline() == "sleeping\n"
        process.send_signal(signal.SIGINT)
        assert process.stdout.readline() == "interrupted\n"
        process.send_signal(second)
        assert process.wait() == 128 + second


COUNTING = """
import gc, os
from orchctl.engine.clock import SystemClock

def fds():
    listed = os.listdir("/proc/self/fd")  # with the one that lists them, which is closed by now
    return {int(fd) for fd in listed if os.path.exists(f"/proc/self/fd/{fd}")}

before = fds()
"""


def _alone(script: str) -> None:
    """In a process where nobody else opens and closes anything."""
    done = subprocess.run(
        [sys.executable, "-c", COUNTING + script], capture_output=True, text=True, timeout=LONGEST_S, check=False
    )
    assert done.returncode == 0, done.stderr


_counts_fds = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="counts the entries of /proc/self/fd")


@_counts_fds
def test_sleeping_leaves_no_descriptor_behind() -> None:
    _alone("""
for _ in range(200):
    clock = SystemClock()
    for _ in range(5):
        clock.sleep(0)
assert len(fds()) == len(before) + 2
del clock
gc.collect()
assert fds() == before
""")


@_counts_fds
def test_a_clock_that_never_sleeps_opens_nothing() -> None:
    _alone("""
clock = SystemClock()
clock.check()
assert fds() == before
""")


@_counts_fds
def test_children_do_not_inherit_the_pipe() -> None:
    _alone("""
clock = SystemClock()
clock.sleep(0)
mine = fds() - before
assert len(mine) == 2
assert not any(os.get_inheritable(fd) for fd in mine)
""")


@pytest.mark.skipif(
    not hasattr(time, "CLOCK_BOOTTIME"), reason="only Linux has a clock that goes on while the machine sleeps"
)
def test_the_clock_goes_on_while_the_machine_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lease that was held over a laptop's sleep has to be renewed before the next write."""
    real, slept = time.clock_gettime, 3_600.0
    monkeypatch.setattr(time, "clock_gettime", lambda which: real(which) + slept * (which == time.CLOCK_BOOTTIME))
    least = real(time.CLOCK_MONOTONIC) + slept
    assert SystemClock().now() >= least
