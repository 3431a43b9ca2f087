"""A Marathon to test against, which answers as the recordings of a real 1.8.248 in ``tests/data/marathon`` show.

Its Mesos is simulated, its tasks are real processes of this machine, its HTTP is real::

    from tests.servers.marathon import Marathon
    from tests.servers.marathon.client import Client

    hello = ["/bin/sh", "-c", "exec python3 -m http.server --bind $LISTEN_HOST $LISTEN_PORT0"]
    with Marathon(images={"hello:1": hello}) as marathon:
        client = Client(marathon.url)                 # any HTTP client will do
        client.post("/v2/apps", {"id": "/web", "cmd": "exec sleep 100", "instances": 2})
        marathon.wait_deployed()                      # no deployment runs any more
        task = marathon.tasks("/web")[0]              # id, pid, state, version, host, ports, sandbox
        marathon.kill_task(task.id)                   # SIGKILL, as the kernel would
        marathon.advance(60)                          # the server's clock: back-off, grace, check intervals
        marathon.settle()                             # until nothing moves by itself
        assert marathon.writes() == 1                 # requests that are not GET; ``requests`` lists them all

The truth, without HTTP: ``apps()``, ``tasks()``, ``deployments()``, ``events()``. Faults: ``kill_task``,
``lose_task``, ``lose_agent`` and ``find_agent``, ``delete_app``, ``freeze`` and ``thaw``, ``crash`` and ``come_back``
(same address, same state), ``with foreign_deployment("/web") as id:`` (locks until it ends), ``hold("offers" |
"staging" | "starting" | "kills")`` and ``release()``. Options: see ``Marathon``; with ``masters=2`` there is a
standby: ``masters[1]``, ``urls``, ``leader``, ``abdicate()``.

Labels ``simulate`` = ``fail`` (never runs), ``crash`` or ``finish`` (ends with 1 or 0 after ``simulate_after``
seconds), ``unhealthy``, ``lateHealthy`` (healthy after ``simulate_after``) act as on the Mesos of the recordings.

A program of an image has no container around it, unless the image is a root file system (``containers.py``): it listens at ``$LISTEN_HOST:$LISTEN_PORT0`` (or
``$LISTEN_PORT_<NAME>``), which is the host port with host and bridge networking. Mesos' own checks (MESOS_*) go to
127.0.0.1, Marathon's (HTTP, TCP) and clients to the task's ``host``, which is 127.0.0.2 on the second agent: a program
that is to be found by both listens on 0.0.0.0, as it would have to on a real agent.

Not there: pods, artifacts, fetching of URIs, volumes, secrets, gpus, limits of cpu and memory, going back to a group's
version, and the full plans that events had before 1.8.
"""

from tests.servers.marathon.agents import Agent
from tests.servers.marathon.control import TrueTask
from tests.servers.marathon.master import Seen
from tests.servers.marathon.server import Marathon

__all__ = ["Agent", "Marathon", "Seen", "TrueTask"]
