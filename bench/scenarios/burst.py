"""Ten thousand items due in the same second: how long until all have begun, and until all are recorded.

First ten thousand jobs of one item, then ten jobs of a thousand items, on the same node.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from bench.cluster import Cluster, cluster
from bench.processors import Shares
from bench.scenarios.fires import COMMIT_TIMES, Fire, read_fires, rising
from bench.scenarios.jobs import insert_jobs_at
from bench.suite.curves import draw_curves
from bench.suite.scenario import Figure, Round, Scenario

ITEMS, FEW_JOBS = 10_000, 10
NODES, WORKERS = 1, 2
LEAD_S = 12
"""From committing the jobs to their instant, so that the node has taken them up."""
PATIENCE_S, POLL_S = 60.0, 0.25
STEP_S, STEPS = 0.05, 200
ENDED = "select count(*) from shardkeeper.shard_run where fire_time = %s and status = 'COMPLETED'"


def measure() -> Round:
    """Two instants."""
    with (
        cluster(NODES, WORKERS, postgresql_conf=COMMIT_TIMES) as running,
        running.connect() as connection,
    ):
        singles, cores = burst(running, connection, "single", ITEMS, 1)
        wide, _ = burst(running, connection, "wide", FEW_JOBS, ITEMS // FEW_JOBS)
    return Round(figures(singles, "") | figures(wide, "wide_"), cores, samples(singles), notes(singles, wide))


def burst(
    running: Cluster, connection: Any, name: str, jobs: int, items: int
) -> tuple[list[Fire], dict[str, float]]:
    """What became of the items, and cores in use until all were recorded."""
    instant = _instant(connection)
    insert_jobs_at(connection, jobs, instant, items, name)
    pause = threading.Event()
    pause.wait(instant.timestamp() - time.time())
    shares, deadline = Shares(running.pids, others=True).begin(), time.monotonic() + PATIENCE_S
    while connection.execute(ENDED, (instant,)).fetchone()[0] < jobs * items and time.monotonic() < deadline:
        pause.wait(POLL_S)
    cores = shares.cores()
    return read_fires(connection, instant - timedelta(seconds=1), instant), cores


def _instant(connection: Any) -> datetime:
    query = "select date_trunc('second', clock_timestamp()) + make_interval(secs => %s)"
    found: datetime = connection.execute(query, (LEAD_S,)).fetchone()[0]
    return found


def figures(fires: Sequence[Fire], prefix: str) -> dict[str, float]:
    """Seconds from the instant; none where some did not run."""
    if len(fires) < ITEMS:
        return {}
    return {
        f"{prefix}started": max(fire.began_s for fire in fires),
        f"{prefix}recorded": max(fire.recorded_s for fire in fires),
    }


def samples(fires: Sequence[Fire]) -> dict[str, Sequence[float]]:
    """How many had begun, and were recorded, by the end of each step from the instant on."""
    return {
        "started": rising((fire.began_s for fire in fires), 0.0, STEP_S, STEPS),
        "recorded": rising((fire.recorded_s for fire in fires), 0.0, STEP_S, STEPS),
    }


def notes(singles: Sequence[Fire], wide: Sequence[Fire]) -> list[str]:
    """What did not run."""
    named = (("of one item", singles), (f"of {ITEMS // FEW_JOBS:,} items", wide))
    return [
        f"jobs {kind}: {len(fires):,} of {ITEMS:,} items ran within {PATIENCE_S:g} s"
        for kind, fires in named
        if len(fires) < ITEMS
    ]


SCENARIO = Scenario(
    "burst",
    "Ten thousand items due in the same second",
    f"{ITEMS:,} jobs of one item have the same `run_at`; {NODES} node of {WORKERS} workers, isolation `process`. Then "
    f"the same with {FEW_JOBS} jobs of {ITEMS // FEW_JOBS:,} items. An item has started when `initialize` begins, and "
    "is recorded when the transaction with its outcome is committed; both count from the fire time to the last item.",
    (
        Figure("started", f"{ITEMS:,} jobs of one item: all started", "s", at_most=2),
        Figure("recorded", "all recorded", "s", at_most=5),
        Figure(
            "wide_started", f"{FEW_JOBS} jobs of {ITEMS // FEW_JOBS:,} items: all started", "s", at_most=2
        ),
        Figure("wide_recorded", "all recorded", "s", at_most=5),
    ),
    measure,
    draw=draw_curves({"started": "started", "recorded": "recorded"}, STEP_S, "items"),
)
