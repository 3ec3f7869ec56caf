"""Whether the memory of a node that works for half an hour stays what it is.

SHARDKEEPER_BENCH_MEMORY_S: how many seconds, for a trial; the figures are worth little under ten minutes.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable

import psutil

from bench.cluster import Cluster, cluster
from bench.figures import MIB
from bench.scenarios.growing import resident_mib
from bench.scenarios.jobs import insert_jobs
from bench.scenarios.trend import slope
from bench.suite.panels import Panel, draw_panels
from bench.suite.scenario import Figure, Round, Scenario

JOBS, NODES, WORKERS = 500, 3, 2
SECONDS = int(os.environ.get("SHARDKEEPER_BENCH_MEMORY_S", "1800"))
EVERY_S = 10
JUDGED = 2 / 3
GROWN = "select count(*) from shardkeeper.job_run where status = 'COMPLETED'"


def measure() -> Round:
    """JOBS fires a second; the first third, in which nodes still grow into their work, is not judged."""
    samples: dict[str, list[float]] = {"seconds": [], "postgres": []}
    with cluster(NODES, WORKERS) as running, running.connect() as connection:
        insert_jobs(connection, JOBS, "1 s")
        pause, began = threading.Event(), time.monotonic()
        for second in range(EVERY_S, SECONDS + 1, EVERY_S):
            pause.wait(began + second - time.monotonic())
            _look(running, second, samples)
        seconds = time.monotonic() - began
        (runs,) = connection.execute(GROWN).fetchone() or (0,)
    nodes = [samples[f"node_{number}"] for number in range(1, NODES + 1)]
    slopes = [slope(samples["seconds"], node, JUDGED) for node in nodes]
    figures = {
        "grown": max(slopes) * SECONDS * JUDGED,
        "per_hour": max(slopes) * 3600,
        "most": max(map(max, nodes)),
        "fires": runs / seconds,
    }
    return Round(figures, samples=samples, notes=[f"{SECONDS} s, {runs:,} runs"])


def _look(running: Cluster, second: int, samples: dict[str, list[float]]) -> None:
    samples["seconds"].append(float(second))
    samples["postgres"].append(round(_proportional_mib(running.postgres.pid), 2))
    for number, pid in enumerate(running.agents, 1):
        samples.setdefault(f"node_{number}", []).append(round(resident_mib(pid), 2))


def _proportional_mib(pid: int) -> float:
    """Memory of a process and its children, what they share counted once."""
    parent = psutil.Process(pid)
    return sum(_proportional((parent, *parent.children(recursive=True)))) / MIB


def _proportional(processes: Iterable[psutil.Process]) -> Iterable[int]:
    for process in processes:
        try:
            yield process.memory_full_info().pss
        except psutil.NoSuchProcess:
            continue


SCENARIO = Scenario(
    "memory",
    "Memory over half an hour",
    f"{JOBS} jobs of one item fire every second on {NODES} nodes of {WORKERS} workers for {SECONDS / 60:.0f} minutes; "
    f"the resident memory of each node, without its workers, is read every {EVERY_S} s. Growth is that of a straight "
    "line through the last two thirds of it (least squares), of the node that grows most. PostgreSQL is shown beside: "
    "all its processes, with what they share counted once.",
    (
        Figure("grown", "growth over the last two thirds", "MiB", at_most=4),
        Figure("per_hour", "the same in an hour", "MiB"),
        Figure("most", "the largest node at any time", "MiB"),
        Figure("fires", "fires recorded", "/s"),
    ),
    measure,
    rounds=1,
    draw=draw_panels(
        "seconds",
        "s",
        (
            Panel(
                "resident memory, MiB", {f"node {number}": f"node_{number}" for number in range(1, NODES + 1)}
            ),
            Panel("memory, MiB", {"PostgreSQL": "postgres"}),
        ),
        dots=False,
    ),
    long=True,
)
