"""What a fire costs when the cluster holds a hundred jobs, and when it holds a hundred thousand."""

from __future__ import annotations

import threading
from typing import Any

from bench.cluster import cluster
from bench.figures import MIB
from bench.scenarios.growing import (
    JOBS,
    PANELS,
    SECONDS,
    Point,
    as_curves,
    figures_at,
    growth,
    watch_point,
)
from bench.scenarios.jobs import insert_impl
from bench.suite.panels import draw_panels
from bench.suite.scenario import Figure, Round, Scenario

HELD = (100, 1_000, 10_000, 100_000)
NODES, WORKERS = 3, 2
AT_ONCE = 10_000
LOOK_S, PATIENCE_S = 0.5, 180.0
SWEPT = "select from shardkeeper.sweep_state where watermark > %s"

# each in a minute of its own of a day half a year ahead: 1,440 schedules
IDLE = """insert into shardkeeper.job_spec (name, impl_spec, cron)
          select 'idle-' || n, 'noop', format('%%s %%s %%s', n %% 60, n / 60 %% 24,
                                              to_char(now() + interval '183 days', 'FMDD FMMM') || ' *')
            from generate_series(%s::int, %s::int) n"""


def insert_idle(connection: Any, jobs: int) -> None:
    """Jobs that are held and do not fire: ``idle-1`` and so on, committed in pieces."""
    insert_impl(connection)
    for first in range(1, jobs + 1, AT_ONCE):
        connection.execute(IDLE, (first, min(jobs, first + AT_ONCE - 1)))


def await_sweep(connection: Any) -> None:
    """Wait until the sweep has come to all jobs that are there now: it goes over all of them for as long as they live,
    but begins only when they are older than the on-time window. TimeoutError where it does not come."""
    (now,) = connection.execute("select clock_timestamp()").fetchone()
    pause, waited = threading.Event(), 0.0
    while connection.execute(SWEPT, (now,)).fetchone() is None:
        if waited > PATIENCE_S:
            raise TimeoutError(f"the sweep has not come to the new jobs within {PATIENCE_S:g} s")
        pause.wait(LOOK_S)
        waited += LOOK_S


def measure() -> Round:
    """A cluster for each point."""
    points: dict[int, Point] = {}
    for held in HELD:
        with cluster(NODES, WORKERS) as running, running.connect() as connection:
            insert_idle(connection, held - JOBS)
            await_sweep(connection)
            points[held] = watch_point(running, connection)
    figures = {"growth": growth(points)}
    for held, point in points.items():
        figures.update(point.figures(held))
    figures["job_bytes"] = (points[HELD[-1]].rss_mib - points[HELD[0]].rss_mib) * MIB / (HELD[-1] - HELD[0])
    return Round(figures, samples=as_curves(points))


SCENARIO = Scenario(
    "growth-jobs",
    "Growth with the jobs that are held",
    f"{JOBS} jobs of one item fire every second on {NODES} nodes of {WORKERS} workers, for {SECONDS} s or more, "
    f"while the nodes hold {', '.join(f'{held:,}' for held in HELD)} jobs; the others are due half a "
    "year from now, on 1,440 schedules. A cluster of its own for each point; it is watched once its nodes have taken "
    "them up and the sweep has come to them: from then on it goes over all of them, and rests, again and again. The "
    "time watched begins and ends with the end of a sweep.",
    (
        Figure("growth", "processor time per fire with the most jobs, of that with the fewest", at_most=1.5),
        *(figure for held in HELD for figure in figures_at(held, f"{held:,} jobs")),
        Figure("job_bytes", "memory of a node per job it holds", "bytes"),
    ),
    measure,
    rounds=1,
    draw=draw_panels("x", "jobs held", PANELS, logarithmic=True),
)
