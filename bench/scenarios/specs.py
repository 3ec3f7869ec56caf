"""What it takes a node to load a thousand, ten thousand, a hundred thousand specs, and what they weigh.

The node was here before, so that its view stands and it need not wait for one. Nothing outside of a node sees its list
of specs; but it fires nothing before it holds and has timed all of them, and then at once what fell due meanwhile. So
the first run of a job that fires each second tells when that was.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from bench.cluster import Cluster, cluster
from bench.figures import MIB
from bench.scenarios.rare_jobs import SCHEDULES, first_run_after, insert_marker, insert_rare_jobs
from bench.suite.plots import COLOUR, canvas, label_plainly
from bench.suite.scenario import Figure, Round, Scenario
from bench.waiting import wait_for
from bench.zookeeper import Standing, standing

SIZES = (1_000, 10_000, 100_000)
WORKERS, SETTLE_S = 1, 3
OTHER_COLOUR = "#b8860b"


@dataclass(frozen=True, slots=True)
class Start:
    """Of one node. ``took_s``: from the start of its process until it holds all specs; ``rss`` and ``peak``: resident
    bytes of its process, when all has settled and at the most; ``spent``: cores in use meanwhile by kind of process."""

    took_s: float
    rss: int
    peak: int
    spent: Mapping[str, float]
    zookeeper: Standing


def measure() -> Round:
    """Start one node after the other, all of the same name, with ever more specs."""
    with cluster(0, WORKERS) as running, running.connect() as connection:
        insert_marker(connection)
        with running.nodes(1):
            pass
        bare = start(running, connection)
        starts, before = {}, 0
        for jobs in SIZES:
            insert_rare_jobs(connection, before + 1, jobs)
            before = jobs
            starts[jobs] = start(running, connection)
    return Round(figures(bare, starts), starts[SIZES[-1]].spent)


def start(running: Cluster, connection: Any) -> Start:
    """One life of the node, ended when it has settled."""
    before = running.processor_seconds()
    since: datetime = connection.execute("select clock_timestamp()").fetchone()[0]
    with running.node("node-1") as pid:
        loaded = wait_for(lambda: first_run_after(connection, since), "the first run")
        took_s = (loaded - since).total_seconds()
        after = running.processor_seconds()
        threading.Event().wait(SETTLE_S)
        # a node that has just come is counted from nothing
        spent = {kind: (after[kind] - before[kind]) / took_s for kind in before}
        return Start(
            took_s, psutil.Process(pid).memory_info().rss, _peak(pid), spent, standing(running.zookeeper)
        )


def figures(bare: Start, starts: Mapping[int, Start]) -> dict[str, float]:
    """``bare``: the start with no specs but the one that tells."""
    found: dict[str, float] = {"bare": bare.took_s, "bare_rss": bare.rss / MIB}
    for jobs, one in starts.items():
        found |= {
            f"load_{jobs}": max(0.0, one.took_s - bare.took_s),
            f"rss_{jobs}": one.rss / MIB,
            f"peak_{jobs}": one.peak / MIB,
        }
    least, most = starts[min(starts)].zookeeper, starts[max(starts)].zookeeper
    grown = most.znodes - least.znodes + most.watches - least.watches
    return found | {
        "znodes": most.znodes,
        "watches": most.watches,
        "zookeeper_kib": most.bytes / 1024,
        "grown": grown,
        "per_job": (starts[max(starts)].rss - bare.rss) / max(starts),
    }


def _peak(pid: int) -> int:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def draw(document: Mapping[str, Any], path: Path) -> None:
    """Seconds and memory over the number of specs."""
    found = document["medians"]
    figure, axes = canvas(document["title"], "specs held", "s to load")
    axes.set_xscale("log")
    label_plainly(axes.xaxis)
    axes.plot(SIZES, [found[f"load_{jobs}"] for jobs in SIZES], "o-", color=COLOUR, label="time to load")
    memory = axes.twinx()
    memory.set_ylabel("MiB resident")
    memory.plot(SIZES, [found[f"rss_{jobs}"] for jobs in SIZES], "s--", color=OTHER_COLOUR, label="memory")
    memory.set_ylim(bottom=0)
    axes.set_ylim(bottom=0)
    figure.legend(loc="upper left", bbox_to_anchor=(0.13, 0.87), frameon=False)
    figure.savefig(path, bbox_inches="tight")


def _of_size(jobs: int) -> tuple[Figure, ...]:
    budget = jobs == SIZES[-1]
    return (
        Figure(f"load_{jobs}", f"{jobs:,} specs: loaded and timed in", "s", at_most=5 if budget else None),
        Figure(f"rss_{jobs}", f"{jobs:,} specs: memory of the node", "MiB", at_most=400 if budget else None),
        Figure(f"peak_{jobs}", f"{jobs:,} specs: its memory at the most", "MiB"),
    )


SCENARIO = Scenario(
    "specs",
    "Specs held by one node",
    f"A node starts with {', '.join(f'{jobs:,}' for jobs in SIZES)} job specs of {SCHEDULES:,} distinct yearly "
    "schedules in PostgreSQL. Loaded and timed: from the start of its process until it creates the first run of one "
    "more job that fires each second (nothing fires before all specs are held), less the same start with that job "
    f"alone. Memory is resident memory of the node's process, without its workers, {SETTLE_S} s later. Znodes, watches "
    "and bytes are all that the ZooKeeper server has then.",
    (
        Figure("bare", "start with no specs", "s"),
        Figure("bare_rss", "its memory", "MiB"),
        *(figure for jobs in SIZES for figure in _of_size(jobs)),
        Figure("per_job", "memory of one more spec, bytes"),
        Figure("znodes", f"znodes with {SIZES[-1]:,} specs"),
        Figure("watches", f"watches with {SIZES[-1]:,} specs"),
        Figure("zookeeper_kib", f"KiB in ZooKeeper with {SIZES[-1]:,} specs"),
        Figure("grown", f"znodes and watches more than with {SIZES[0]:,}", at_most=0),
    ),
    measure,
    draw=draw,
)
