"""One point of a curve of growth: the same light load, under whatever the cluster has to carry beside it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import psutil

from bench.cluster import Cluster
from bench.figures import MIB, percentile
from bench.processors import own_seconds, processor_seconds
from bench.scenarios.jobs import insert_jobs
from bench.suite.panels import Panel
from bench.suite.scenario import Figure

JOBS, SECONDS = 100, 15
WARM_UP_S, SETTLE_S = 6, 3
LOOK_S, QUIET_CORES, QUIET_LOOKS, PATIENCE_S = 1.0, 0.25, 3, 20.0
SWEEP_LOOK_S, SWEEP_PATIENCE_S = 0.25, 180.0
KINDS = ("loops", "workers", "postgres", "zookeeper")
"""``loops``: the nodes' own processes, without their workers."""

LATE = """
select extract(epoch from s.started_at - s.fire_time) * 1000 from shardkeeper.shard_run s
 where s.fire_time > %s and s.fire_time <= %s and s.status = 'COMPLETED'
"""
_NOW = "select clock_timestamp()"
_WATERMARK = "select watermark from shardkeeper.sweep_state"


@dataclass(frozen=True, slots=True)
class Point:
    """``late_ms``: of each fire that ran; ``fire_ms``: processor time per fire by kind of process; ``rss_mib``: of the
    largest node, without its workers."""

    late_ms: Sequence[float]
    due: int
    fire_ms: Mapping[str, float]
    rss_mib: float

    def figures(self, at: int) -> dict[str, float]:
        """By the names that `figures_at` gives."""
        whole = {
            "p50": percentile(self.late_ms, 0.5),
            "p99": percentile(self.late_ms, 0.99),
            "rss": self.rss_mib,
        }
        named = {
            **whole,
            **self.fire_ms,
            "whole": sum(self.fire_ms.values()),
            "ran": len(self.late_ms) / self.due,
        }
        return {f"{name}_{at}": figure for name, figure in named.items()}


def figures_at(at: int, what: str) -> tuple[Figure, ...]:
    """The figures of one point, which is called ``what``."""
    return (
        Figure(f"p50_{at}", f"{what}: lateness, half of the fires within", "ms"),
        Figure(f"p99_{at}", f"{what}: 99 of 100 within", "ms"),
        Figure(f"whole_{at}", f"{what}: processor time per fire", "ms"),
        Figure(f"loops_{at}", f"{what}: of that, the nodes' own processes", "ms"),
        Figure(f"workers_{at}", f"{what}: their workers", "ms"),
        Figure(f"postgres_{at}", f"{what}: PostgreSQL", "ms"),
        Figure(f"rss_{at}", f"{what}: memory of the largest node", "MiB"),
        Figure(f"ran_{at}", f"{what}: fires that ran, of those due", at_least=1),
    )


PANELS = (
    Panel("lateness, ms", {"half of the fires within": "p50", "99 of 100 within": "p99"}),
    Panel(
        "processor time per fire, ms",
        {"together": "whole", "nodes": "loops", "workers": "workers", "PostgreSQL": "postgres"},
    ),
    Panel("memory of the largest node, MiB", {"resident": "rss"}),
)


def as_curves(points: Mapping[int, Point]) -> dict[str, list[float]]:
    """The samples that PANELS shows, over ``x``."""
    curves: dict[str, list[float]] = {"x": [float(at) for at in points]}
    for at, point in points.items():
        for name, figure in point.figures(at).items():
            curves.setdefault(name.removesuffix(f"_{at}"), []).append(round(figure, 3))
    return curves


def growth(points: Mapping[int, Point]) -> float:
    """Processor time per fire at the last point, over that at the first."""
    first, *_, last = (sum(point.fire_ms.values()) for point in points.values())
    return last / first


def watch_point(running: Cluster, connection: Any) -> Point:
    """JOBS jobs of one item fire each second for SECONDS or more, once the nodes have taken up all there is. Watched
    are whole sweeps, with the rest that follows each: with very many jobs both take longer than SECONDS."""
    settle(running)
    insert_jobs(connection, JOBS, "1 s")
    pause = threading.Event()
    pause.wait(WARM_UP_S)
    await_sweep_end(connection)
    before, since = spent(running), _now(connection)
    pause.wait(SECONDS)
    await_sweep_end(connection)
    after, until = spent(running), _now(connection)
    pause.wait(SETTLE_S)
    late_ms = [float(late) for (late,) in connection.execute(LATE, (since, until))]
    due = JOBS * (int(until.timestamp()) - int(since.timestamp()))
    fire_ms = {kind: (after[kind] - before[kind]) * 1000 / due for kind in KINDS}
    return Point(late_ms, due, fire_ms, max(map(resident_mib, running.agents)))


def spent(running: Cluster) -> dict[str, float]:
    """Processor seconds spent so far, by KINDS."""
    loops = own_seconds(running.agents)
    return {
        "loops": loops,
        "workers": processor_seconds(running.agents) - loops,
        "postgres": processor_seconds((running.postgres.pid,)),
        "zookeeper": processor_seconds((running.zookeeper.pid,)),
    }


def await_sweep_end(connection: Any) -> None:
    """Wait for the next end of a sweep; TimeoutError where none comes."""
    (before,) = connection.execute(_WATERMARK).fetchone()
    pause, waited = threading.Event(), 0.0
    while connection.execute(_WATERMARK).fetchone() == (before,):
        if waited > SWEEP_PATIENCE_S:
            raise TimeoutError(f"no sweep has ended within {SWEEP_PATIENCE_S:g} s")
        pause.wait(SWEEP_LOOK_S)
        waited += SWEEP_LOOK_S


def settle(running: Cluster) -> None:
    """Wait until every node has been quiet for some seconds, or for PATIENCE_S: with many jobs one sweeps for long."""
    pause, quiet, waited = threading.Event(), 0, 0.0
    while quiet < QUIET_LOOKS and waited < PATIENCE_S:
        before = {pid: own_seconds((pid,)) for pid in running.agents}
        pause.wait(LOOK_S)
        waited += LOOK_S
        busiest = max((own_seconds((pid,)) - seconds for pid, seconds in before.items()), default=0.0)
        quiet = quiet + 1 if busiest < QUIET_CORES * LOOK_S else 0


def resident_mib(pid: int) -> float:
    """Resident memory of one process."""
    return float(psutil.Process(pid).memory_info().rss) / MIB


def _now(connection: Any) -> Any:
    return connection.execute(_NOW).fetchone()[0]
