"""How soon a changed spec is in force on all nodes.

Each change gives one of many jobs a single fire a few milliseconds away, on each node. A node that knows of the change
claims its part of that fire; so the last claim of the fire is the latest instant at which the change came into force
anywhere. It is later than that: the fire is awaited and its run created within it.
"""

from __future__ import annotations

import random
import threading
from typing import Any

from bench.cluster import cluster
from bench.figures import percentile
from bench.scenarios.rare_jobs import first_run_after, insert_marker, insert_rare_jobs
from bench.suite.plots import draw_histogram
from bench.suite.scenario import Figure, Round, Scenario
from bench.waiting import wait_for

NODES, WORKERS = 3, 2
JOBS, CHANGES = 10_000, 200
AHEAD_MS = 5
MEAN_PAUSE_S, SETTLE_S = 0.1, 5
CHANGE = """
update shardkeeper.job_spec
   set cron = null, run_at = clock_timestamp() + %s * interval '1 ms', sharding_strategy = 'each_node'
 where name = %s
"""
# The stamp of a version is the instant of its commit; a fire before it belongs to the version of before.
FIRED = """
select extract(epoch from max(s.claimed_at) - v.in_force_from) * 1000, count(distinct s.node_id)
  from shardkeeper.job_version v
  join shardkeeper.job_run r on r.job_version = v.version and r.job_name = v.job_name
  join shardkeeper.shard_run s on s.run_id = r.id and s.fire_time = r.fire_time and s.attempt = 1
 where r.trigger_kind = 'schedule' and r.job_name like 'rare-%%' and s.claimed_at is not null
 group by v.version, v.in_force_from
"""
DUE = """
select count(*) from shardkeeper.job_version
 where job_name like 'rare-%%' and (spec ->> 'run_at')::timestamptz >= in_force_from
"""


def measure() -> Round:
    """CHANGES changes of one job each."""
    with cluster(0, WORKERS) as running, running.connect() as connection:
        insert_marker(connection)
        insert_rare_jobs(connection, 1, JOBS)
        with running.nodes(NODES):
            due, found = _changes(connection)
    ms = [float(late) for late, nodes in found if nodes == NODES]
    figures = {
        "p50": percentile(ms, 0.5),
        "p99": percentile(ms, 0.99),
        "worst": max(ms),
        "everywhere": len(ms) / due,
        "seen": due,
    }
    return Round(figures, samples={"ms": [round(one, 2) for one in ms]})


def _changes(connection: Any) -> tuple[int, list[tuple[Any, int]]]:
    """How many changes had their fire; of each that fired: ms until the last claim, and nodes that claimed."""
    since = connection.execute("select clock_timestamp()").fetchone()[0]
    wait_for(lambda: first_run_after(connection, since), "the first run")
    threading.Event().wait(SETTLE_S)
    change(connection)
    return connection.execute(DUE).fetchone()[0], connection.execute(FIRED).fetchall()


def change(connection: Any) -> None:
    """One after the other, at instants that nothing else keeps to."""
    draw, pause = random.Random(1), threading.Event()
    for number in range(1, CHANGES + 1):
        connection.execute(CHANGE, (AHEAD_MS, f"rare-{number}"))
        pause.wait(draw.uniform(0.5, 1.5) * MEAN_PAUSE_S)
    pause.wait(SETTLE_S)


SCENARIO = Scenario(
    "change",
    "A changed spec",
    f"{CHANGES} changes of one of {JOBS:,} jobs each, one about every {MEAN_PAUSE_S:g} s, on {NODES} nodes. Each "
    f"gives its job a fire {AHEAD_MS} ms after the statement, of one item on each node (`each_node`). In force on all "
    "nodes: from the stamp of the version, which is its commit, to the claim of the last of these items; so the time "
    "of creating and claiming a run is in it. A change that is stamped after its own fire has none, and is not "
    "counted.",
    (
        Figure("p50", "committed to in force on all nodes, half of the changes within", "ms"),
        Figure("p99", "99 of 100 within", "ms", at_most=100),
        Figure("worst", "the latest", "ms"),
        Figure("everywhere", "changes in force on all nodes, of those counted", at_least=1),
        Figure("seen", "changes counted"),
    ),
    measure,
    draw=draw_histogram("ms", "committed to in force on all nodes, ms"),
)
