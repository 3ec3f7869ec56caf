"""What ZooKeeper has to do for fires: nothing. Its counters are compared with and without load."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any

from bench.cluster import Cluster, cluster
from bench.scenarios.jobs import insert_jobs
from bench.suite.scenario import Figure, Round, Scenario
from bench.zookeeper import standing

NODES, WORKERS = 3, 2
JOBS, IDLE_S, LOAD_S = 500, 30, 60
SETTLE_S = 10
RAN = """
select count(*) from shardkeeper.shard_run s where s.started_at between clock_timestamp() - %s * interval '1 s'
   and clock_timestamp()
"""


@dataclass(frozen=True, slots=True)
class Span:
    """``packets``: received per second; ``writes``: transactions."""

    packets: float
    writes: int
    cores: dict[str, float]


def measure() -> Round:
    """A while without jobs, and a while with JOBS jobs that fire each second."""
    with cluster(NODES, WORKERS) as running, running.connect() as connection:
        threading.Event().wait(SETTLE_S)
        idle = watch(running, IDLE_S)
        insert_jobs(connection, JOBS, "1 s")
        threading.Event().wait(SETTLE_S)
        loaded = watch(running, LOAD_S)
        ran = _ran(connection)
    figures = {
        "fires": ran / LOAD_S,
        "writes": loaded.writes,
        "per_fire": (loaded.packets - idle.packets) * LOAD_S / ran,
        "loaded": loaded.packets,
        "idle": idle.packets,
    }
    return Round(figures, loaded.cores)


def watch(running: Cluster, seconds: int) -> Span:
    """What the server counts in so many seconds."""
    before, spent = standing(running.zookeeper), running.processor_seconds()
    threading.Event().wait(seconds)
    after, now = standing(running.zookeeper), running.processor_seconds()
    cores = {kind: (now[kind] - spent[kind]) / seconds for kind in spent}
    return Span((after.packets - before.packets) / seconds, after.writes - before.writes, cores)


def _ran(connection: Any) -> int:
    found: int = connection.execute(RAN, (LOAD_S,)).fetchone()[0]
    return found


SCENARIO = Scenario(
    "quiet",
    "What ZooKeeper does for fires",
    f"{NODES} nodes without jobs for {IDLE_S} s, then with {JOBS} one-item jobs that fire each second, for {LOAD_S} s. "
    "Writes are the server's transactions while jobs fire. Requests are all that it receives, pings and the nodes' "
    "reading of the tree each 10 s among them; those of a fire are what it received more than without jobs. A reading "
    "more or less in either while is a thousandth of a request for each fire.",
    (
        Figure("fires", "fires that ran", "/s"),
        Figure("writes", f"writes to ZooKeeper in {LOAD_S} s", at_most=0),
        Figure("per_fire", "requests to ZooKeeper for each fire", at_most=0.005),
        Figure("loaded", "requests with fires", "/s"),
        Figure("idle", "requests without", "/s"),
    ),
    measure,
)
