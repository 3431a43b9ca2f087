"""What broke a connection, from the exceptions that requests and urllib3 really raise."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import urllib3
from docker.transport import UnixHTTPAdapter
from requests.exceptions import RequestException
from urllib3.exceptions import MaxRetryError, ProtocolError

from orchctl.core.transport import causes, never_connected, reason


def raised(action: Callable[[], object]) -> BaseException:
    with pytest.raises((RequestException, urllib3.exceptions.HTTPError)) as caught:
        action()
    return caught.value


def a_free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def over_unix(path: Path) -> requests.Response:
    with requests.Session() as session:
        session.mount("http+docker://", UnixHTTPAdapter(f"unix://{path}"))
        return session.get("http+docker://localhost/", timeout=5)


@pytest.mark.parametrize("get", [requests.get, urllib3.PoolManager(retries=False).urlopen])
def test_a_refused_port_was_never_connected(get: Callable[..., object]) -> None:
    url = f"http://127.0.0.1:{a_free_port()}/"
    error = raised(lambda: get(url) if get is requests.get else get("GET", url))
    assert never_connected(error)
    assert reason(error) == "Connection refused"


def test_a_name_that_is_not_known_was_never_connected() -> None:
    assert never_connected(raised(lambda: requests.get("http://no-such-host.invalid/", timeout=5)))


def test_a_socket_that_is_not_there_was_never_connected(tmp_path: Path) -> None:
    error = raised(lambda: over_unix(tmp_path / "absent"))
    assert never_connected(error)
    assert reason(error) == "No such file or directory"


def test_a_server_that_hangs_up_may_have_heard_the_request() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        listener.settimeout(5)
        error = raised(lambda: requests.get(url, timeout=0.2))
    assert not never_connected(error)
    assert reason(error) == "timed out"


@pytest.mark.parametrize("number", [errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ECONNRESET])
def test_a_route_that_is_lost_under_a_connection_proves_nothing(number: int) -> None:
    """Linux tells of it on a connection whose packets are no longer acknowledged."""
    lost = ProtocolError("Connection aborted.", OSError(number, "gone"))
    assert not never_connected(requests.ConnectionError(lost))


def test_what_was_handled_meanwhile_is_no_cause() -> None:
    lost = ProtocolError("Connection aborted.", ConnectionResetError(errno.ECONNRESET, "reset"))
    lost.__context__ = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    error = requests.ConnectionError(lost)
    assert not never_connected(error)
    assert reason(error) == "reset"


def test_a_circle_of_reasons_ends() -> None:
    one = MaxRetryError(urllib3.HTTPConnectionPool("x"), "/")
    one.reason = one
    assert causes(one) == [one]


def test_no_address_of_an_object_is_told() -> None:
    error = ProtocolError("<urllib3.connection.HTTPConnection object at 0x7f00>: odd\n  things")
    assert reason(error) == "odd things"
    assert reason(ValueError()) == "ValueError"
