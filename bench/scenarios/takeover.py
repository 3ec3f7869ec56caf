"""Nodes are killed: when what they ran runs elsewhere, and how late what they were to fire is.

Killed (SIGKILL) is each of three nodes in turn, the leader among them; it comes again before the next one goes. Long
attempts run on all of them, and one-item jobs fire each second.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from bench.cluster import Cluster, cluster
from bench.scenarios.jobs import insert_jobs
from bench.scenarios.views import wait_for_members
from bench.suite.scenario import Figure, Round, Scenario
from bench.waiting import wait_for

NODES, WORKERS = ("node-1", "node-2", "node-3"), 8
LONG_ITEMS, FIRING_JOBS = 8, 30
SESSION_S = 6
"""The default of ``session_timeout``."""
AFTERWARDS_S, SETTLE_S = 12, 8
SETTINGS = {
    "SHARDKEEPER_TASKS__ALLOWED_MODULES": '["bench_tasks", "waiting_tasks"]',
    "SHARDKEEPER_GRACE_PERIOD": "0",
}
LONG_IMPL = """
insert into shardkeeper.impl_spec (name, kind, entrypoint, parameters)
values ('long', 'python', 'waiting_tasks:Waits', '{"seconds": 600}')
"""
LONG = """
insert into shardkeeper.job_spec (name, impl_spec, run_at, sharding_total_count, max_takeovers)
values ('long', 'long', clock_timestamp() + interval '1 second', %s, 100)
"""
BEGAN_AGAIN = """
select item, max(started_at) from shardkeeper.shard_run where job_name = 'long' and started_at > %s group by item
"""
RUNNING = """
select item, node_id from shardkeeper.shard_run
 where job_name = 'long' and status = 'RUNNING' and started_at is not null and started_at > %s
"""
# A fire that was to begin before the kill waits from then on; what was lost counts until its next attempt begins.
LATE = """
select extract(epoch from max(s.started_at) - greatest(r.fire_time, %(killed)s))
  from shardkeeper.job_run r
  join shardkeeper.shard_run s on s.run_id = r.id and s.fire_time = r.fire_time
 where r.job_name like 'job-%%' and r.fire_time between %(since)s and %(until)s
 group by r.id, r.fire_time having max(s.started_at) > %(killed)s
"""
MISSING = """
select %(jobs)s * (select count(*) from generate_series(date_trunc('second', %(since)s + interval '999999 us'),
                                                        %(until)s, interval '1 s'))
       - count(*) filter (where r.status = 'COMPLETED')
  from shardkeeper.job_run r where r.job_name like 'job-%%' and r.fire_time between %(since)s and %(until)s
"""


@dataclass(frozen=True, slots=True)
class Kill:
    """``moved_s``: for each long attempt of the node, until it began elsewhere; ``late_s``: of fires since then."""

    moved_s: tuple[float, ...]
    late_s: tuple[float, ...]
    missing: int


class Nodes:
    """Those that run, each of which may go and come."""

    def __init__(self, running: Cluster, stack: ExitStack) -> None:
        self._running = running
        self._lives = {name: stack.enter_context(ExitStack()) for name in NODES}
        self._pids: dict[str, int] = {}

    def start(self, name: str) -> None:
        """Begin a life of the node."""
        self._pids[name] = self._lives[name].enter_context(self._running.node(name))

    def kill(self, name: str) -> None:
        """End it with SIGKILL."""
        os.kill(self._pids[name], signal.SIGKILL)

    def bury(self, name: str) -> None:
        """Forget the life that was ended."""
        self._lives[name].close()


def measure() -> Round:
    """One kill of each node."""
    with (
        cluster(0, WORKERS, settings=SETTINGS) as running,
        running.connect() as connection,
        ExitStack() as stack,
    ):
        nodes = Nodes(running, stack)
        for name in NODES:
            nodes.start(name)
        wait_for_members(connection, NODES)
        insert_jobs(connection, FIRING_JOBS, "1 s")
        connection.execute("update shardkeeper.job_spec set overlap = 'allow'")
        connection.execute(LONG_IMPL)
        connection.execute(LONG, (LONG_ITEMS,))
        wait_for(lambda: len(_long(connection)) == LONG_ITEMS or None, "all long attempts")
        # fires are looked at from before the first kill
        threading.Event().wait(SETTLE_S)
        kills = [kill(connection, nodes, name) for name in reversed(NODES)]
    return Round(figures(kills), samples={"late_s": [late for one in kills for late in one.late_s]})


def kill(connection: Any, nodes: Nodes, name: str) -> Kill:
    """Kill the node, see its work move, and have it back."""
    lost = {item for item, node in _long(connection).items() if node == name}
    killed: datetime = connection.execute("select clock_timestamp()").fetchone()[0]
    nodes.kill(name)
    began = wait_for(lambda: _elsewhere(connection, lost, killed), "the takeover")
    wait_for_members(connection, set(NODES) - {name})
    threading.Event().wait(max(0.0, AFTERWARDS_S - (_now(connection) - killed).total_seconds()))
    nodes.bury(name)
    nodes.start(name)
    wait_for_members(connection, NODES)
    threading.Event().wait(SETTLE_S)
    span = {
        "killed": killed,
        "since": killed - timedelta(seconds=2),
        "until": killed + timedelta(seconds=AFTERWARDS_S),
    }
    late = tuple(float(row[0]) for row in connection.execute(LATE, span))
    missing: int = connection.execute(MISSING, {**span, "jobs": FIRING_JOBS}).fetchone()[0]
    return Kill(tuple((at - killed).total_seconds() for at in began), late, missing)


def figures(kills: list[Kill]) -> dict[str, float]:
    """Medians over the kills of the last of each; the worst of all."""
    moved = [max(one.moved_s) for one in kills if one.moved_s]
    return {
        "moved": median(moved),
        "moved_worst": max(moved),
        "first_moved": median(min(one.moved_s) for one in kills if one.moved_s),
        "late": median(max(one.late_s) for one in kills),
        "late_worst": max(max(one.late_s) for one in kills),
        "over_1": sum(late > 1 for one in kills for late in one.late_s) / len(kills),
        "missing": sum(one.missing for one in kills),
    }


def _long(connection: Any, since: datetime | None = None) -> dict[int, str]:
    """Which long items run, and where."""
    return dict(connection.execute(RUNNING, (since or "-infinity",)).fetchall())


def _elsewhere(connection: Any, items: set[int], killed: datetime) -> list[datetime] | None:
    """When each of the items began again; None while one of them has not."""
    began = {item: at for item, at in connection.execute(BEGAN_AGAIN, (killed,)) if item in items}
    return list(began.values()) if began.keys() == items else None


def _now(connection: Any) -> datetime:
    found: datetime = connection.execute("select clock_timestamp()").fetchone()[0]
    return found


SCENARIO = Scenario(
    "takeover",
    "A node killed",
    f"{len(NODES)} nodes run {LONG_ITEMS} long attempts and fire {FIRING_JOBS} one-item jobs each second. Each node in "
    f"turn is killed (SIGKILL) and started again {AFTERWARDS_S} s later or more; `session_timeout` is {SESSION_S} s, "
    "its default. Long attempts: from the kill to the beginning of `initialize` of the last of those that the node "
    "ran, on another one. Fires: from the kill, or the fire time where that is later, to the beginning of the last "
    f"attempt of each fire from 2 s before the kill until {AFTERWARDS_S} s after it.",
    (
        Figure("moved", "all long attempts run elsewhere after", "s", at_most=SESSION_S + 1),
        Figure("moved_worst", "after the worst kill", "s"),
        Figure("first_moved", "the first of them", "s"),
        Figure("late", "the latest fire", "s", at_most=SESSION_S + 1),
        Figure("late_worst", "after the worst kill", "s"),
        Figure("over_1", "fires of a kill more than 1 s late"),
        Figure("missing", "fires that did not complete", at_most=0),
    ),
    measure,
)
