"""How late one-item jobs start that fire each second on three nodes, and what it costs.

Lateness is from the fire time to the beginning of ``initialize``, by the clock of this one machine. The first seconds
are left out.
"""

from __future__ import annotations

from bench.cluster import cluster
from bench.figures import percentile
from bench.scenarios.fires import COMMIT_TIMES, lateness_s, read_fires
from bench.scenarios.jobs import insert_jobs
from bench.scenarios.stretch import watch
from bench.suite.plots import draw_histogram
from bench.suite.scenario import Figure, Round, Scenario

JOBS, NODES, WORKERS, SECONDS = 30, 3, 2, 30
WARM_UP_S, SETTLE_S = 5, 3


def measure() -> Round:
    """JOBS jobs of one item, each firing every second."""
    with (
        cluster(NODES, WORKERS, postgresql_conf=COMMIT_TIMES) as running,
        running.connect() as connection,
    ):
        insert_jobs(connection, JOBS, "1 s")
        stretch = watch(running, connection, SECONDS, WARM_UP_S, SETTLE_S)
        fires = read_fires(connection, stretch.since, stretch.until)
    late_ms = [late * 1000 for late in lateness_s(fires)]
    figures = {
        "p50": percentile(late_ms, 0.5),
        "p99": percentile(late_ms, 0.99),
        "worst": max(late_ms),
        "recorded_p99": percentile([fire.recorded_s * 1000 for fire in fires], 0.99),
        "fires": len(fires) / (JOBS * stretch.seconds),
    }
    return Round(figures, stretch.cores, {"late_ms": [round(late, 2) for late in late_ms]})


SCENARIO = Scenario(
    "lateness",
    "Lateness under light load",
    f"{JOBS} jobs of one item fire every second on {NODES} nodes of {WORKERS} workers for {SECONDS} s. Lateness is "
    "from the fire time to the beginning of `initialize`; recorded is when the outcome is committed.",
    (
        Figure("p50", "lateness, half of the fires within", "ms", at_most=5),
        Figure("p99", "99 of 100 within", "ms", at_most=25),
        Figure("worst", "the latest", "ms"),
        Figure("recorded_p99", "99 of 100 recorded within, from the fire time", "ms"),
        Figure("fires", "fires that ran, of those due", at_least=1),
    ),
    measure,
    draw=draw_histogram("late_ms", "lateness, ms"),
)
