"""How late one-item jobs start that fire each second on three nodes, and what it costs.

Lateness is from the fire time to the beginning of ``initialize``, by the clock of this one machine. The first seconds
are left out.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bench.cluster import Cluster, cluster
from bench.figures import percentile
from bench.scenarios.jobs import insert_jobs
from bench.suite.plots import draw_histogram
from bench.suite.scenario import Figure, Round, Scenario

JOBS, NODES, WORKERS, SECONDS = 30, 3, 2, 30
WARM_UP_S, SETTLE_S = 5, 3
LATE = """
select extract(epoch from s.started_at - s.fire_time) * 1000 from shardkeeper.shard_run s
 where s.fire_time > %s and s.fire_time <= %s and s.status = 'COMPLETED'
"""


def measure() -> Round:
    """JOBS jobs of one item, each firing every second."""
    with cluster(NODES, WORKERS) as running, running.connect() as connection:
        insert_jobs(connection, JOBS, "1 s")
        late_ms, seconds, cores = watch(running, connection, SECONDS)
    due = JOBS * seconds
    figures = {
        "p50": percentile(late_ms, 0.5),
        "p99": percentile(late_ms, 0.99),
        "worst": max(late_ms),
        "fires": len(late_ms) / due,
    }
    return Round(figures, cores, {"late_ms": [round(late, 2) for late in late_ms]})


def watch(running: Cluster, connection: Any, seconds: int) -> tuple[Sequence[float], int, dict[str, float]]:
    """The lateness of each fire of about ``seconds`` whole seconds, in ms; how many seconds it were; cores in use."""
    pause = threading.Event()
    pause.wait(WARM_UP_S)
    before, since = running.processor_seconds(), _second(connection)
    pause.wait(seconds)
    after, until = running.processor_seconds(), _second(connection)
    pause.wait(SETTLE_S)
    cores = {kind: (after[kind] - before[kind]) / seconds for kind in before}
    late_ms = [float(late) for (late,) in connection.execute(LATE, (since, until))]
    return late_ms, int((until - since).total_seconds()), cores


def _second(connection: Any) -> datetime:
    found: datetime = connection.execute("select date_trunc('second', clock_timestamp())").fetchone()[0]
    return found


SCENARIO = Scenario(
    "lateness",
    "Lateness under light load",
    f"{JOBS} jobs of one item fire every second on {NODES} nodes of {WORKERS} workers for {SECONDS} s. Lateness is "
    "from the fire time to the beginning of `initialize`.",
    (
        Figure("p50", "lateness, half of the fires within", "ms", at_most=5),
        Figure("p99", "99 of 100 within", "ms", at_most=25),
        Figure("worst", "the latest", "ms"),
        Figure("fires", "fires that ran, of those due", at_least=1),
    ),
    measure,
    draw=draw_histogram("late_ms", "lateness, ms"),
)
