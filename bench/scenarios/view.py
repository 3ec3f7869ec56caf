"""What a new view costs beside a hundred thousand jobs of ten items: time until work moves by it, ZooKeeper's writes.

One of three nodes is stopped cleanly and comes again. Jobs of one fire each, some milliseconds apart, show who owns
what in between: which of them change their owner is computed as the nodes compute it.
"""

from __future__ import annotations

import os
import signal
import threading
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench.cluster import Cluster, cluster
from bench.scenarios.probes import begun, insert_probes, moved
from bench.scenarios.rare_jobs import insert_rare_jobs
from bench.scenarios.views import AS_JSON, Published, gone_by, wait_for_members
from bench.suite.scenario import Figure, Round, Scenario
from bench.waiting import wait_for
from bench.zookeeper import standing

JOBS, ITEMS = 100_000, 10
NODES, WORKERS = ("node-1", "node-2", "node-3"), 2
LEAVER = NODES[-1]
STAYING = NODES[:-1]
CALM_CORES, CALM_S = 0.3, 2
LOADED_S = 120
STOP_S, STOP_EVERY_MS = 4, 20
JOIN_S, JOIN_EVERY_MS = 25, 50
WRITES_S, SETTLE_S = 1.0, 5


@dataclass(frozen=True, slots=True)
class Change:
    """Of members: the view before and the view after, and what was written to ZooKeeper for it."""

    before: Published
    after: Published
    writes: int


def measure() -> Round:
    """Stop one node, and start it again."""
    with (
        cluster(0, WORKERS, settings=AS_JSON) as running,
        running.connect() as connection,
        ExitStack() as stack,
    ):
        insert_rare_jobs(connection, 1, JOBS, ITEMS)
        for name in STAYING:
            stack.enter_context(running.node(name))
        with running.node(LEAVER) as pid:
            view = wait_for_members(connection, NODES)
            wait_until_calm(running)
            figures = _stop_figures(running, connection, _stop(running, connection, view, pid))
        figures |= _join(running, connection)
    return Round(figures)


def wait_until_calm(running: Cluster) -> None:
    """Until the nodes have loaded all that they load: nothing tells it, but then they have little to do."""
    pause = threading.Event()

    def look() -> bool | None:
        before = running.processor_seconds()["nodes"]
        pause.wait(CALM_S)
        return (running.processor_seconds()["nodes"] - before) / CALM_S < CALM_CORES or None

    wait_for(look, "a calm node", LOADED_S)


def _stop(running: Cluster, connection: Any, before: Published, pid: int) -> Change:
    """The writes of the node's farewell, some seconds later, are no part of the view's."""
    insert_probes(connection, "stop-", STOP_S * 1000 // STOP_EVERY_MS, STOP_EVERY_MS)
    threading.Event().wait(WRITES_S)
    writes = standing(running.zookeeper).writes
    os.kill(pid, signal.SIGTERM)
    after = wait_for_members(connection, STAYING)
    threading.Event().wait(WRITES_S)
    return Change(before, after, standing(running.zookeeper).writes - writes)


def _stop_figures(running: Cluster, connection: Any, change: Change) -> dict[str, float]:
    threading.Event().wait(SETTLE_S)
    published = change.after.at
    told = {name: at for name, at in gone_by(running, change.after).items() if name in STAYING}
    return {
        "stop_first": _first_s(connection, "stop-", change),
        "stop_writes": change.writes,
        "stop_late": max(one.late_s for one in begun(connection, "stop-")),
        **({"stop_told": _after(published, max(told.values()))} if told else {}),
    }


def _join(running: Cluster, connection: Any) -> dict[str, float]:
    """The view takes the node in as soon as it has come, whatever it has yet to load."""
    before = wait_for_members(connection, STAYING)
    writes = standing(running.zookeeper).writes
    insert_probes(connection, "join-", JOIN_S * 1000 // JOIN_EVERY_MS, JOIN_EVERY_MS)
    with running.node(LEAVER):
        after = wait_for_members(connection, NODES)
        threading.Event().wait(WRITES_S)
        change = Change(before, after, standing(running.zookeeper).writes - writes)
        threading.Event().wait(JOIN_S)
        late = sorted(one.late_s for one in begun(connection, "join-") if one.due > after.at)
        return {
            "join_first": _first_s(connection, "join-", change),
            "join_writes": change.writes,
            "join_late": late[-1],
            "join_over_1": sum(one > 1 for one in late) / len(late),
        }


def _first_s(connection: Any, prefix: str, change: Change) -> float:
    """From the view to the beginning of the first probe that ran where it was not owned before."""
    names = change.before.members, change.after.members
    found = [one for one in moved(begun(connection, prefix), *names) if one.at >= change.after.at]
    if not found:
        raise RuntimeError(f"no probe {prefix}* ran where it was not owned before")
    return _after(change.after.at, found[0].at)


def _after(since: datetime, at: datetime) -> float:
    return (at - since).total_seconds()


SCENARIO = Scenario(
    "view",
    "A new view",
    f"{JOBS:,} jobs of {ITEMS} items on {len(NODES)} nodes, and one-item jobs that fire once, one each "
    f"{STOP_EVERY_MS} ms ({JOIN_EVERY_MS} ms while a node joins). A node is stopped cleanly, and started again. First "
    "fire: from `published_at` of the view to the beginning of `initialize` of the first one-item job that ran on its "
    "new owner. Writes: ZooKeeper's transactions from before the stop until 1 s after the view, and from before the "
    "start (with the node's session, its candidate and its znode).",
    (
        Figure("stop_first", "node stopped: first fire under the new view after", "s", at_most=1),
        Figure("stop_told", "the last node says that it goes by it after", "s"),
        Figure("stop_writes", "ZooKeeper writes", at_most=5),
        Figure("stop_late", "the latest fire meanwhile", "s"),
        Figure("join_first", "node started: first fire under the new view after", "s", at_most=1),
        Figure("join_writes", "ZooKeeper writes, with those of the node's arrival"),
        Figure("join_late", "the latest fire meanwhile", "s"),
        Figure("join_over_1", "fires more than 1 s late meanwhile, of all"),
    ),
    measure,
)
