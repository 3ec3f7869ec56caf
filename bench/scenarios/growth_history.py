"""What a fire costs with an empty history, and after ten million runs."""

from __future__ import annotations

from bench.clock import timed
from bench.cluster import Cluster, cluster
from bench.scenarios.growing import JOBS, PANELS, SECONDS, Point, as_curves, figures_at, growth, watch_point
from bench.scenarios.old_runs import DAYS, fill
from bench.suite.panels import draw_panels
from bench.suite.scenario import Figure, Round, Scenario

RUNS = (0, 10_000_000)
NODES, WORKERS = 3, 2

SIZE = """select sum(pg_total_relation_size(i.inhrelid))::float8 from pg_inherits i
           where i.inhparent in ('shardkeeper.job_run'::regclass, 'shardkeeper.shard_run'::regclass)"""


def measure() -> Round:
    """A cluster for each point; the nodes start when the history is there."""
    points: dict[int, Point] = {}
    notes: list[str] = []
    figures: dict[str, float] = {}
    for runs in RUNS:
        with cluster(0, WORKERS) as running:
            if runs:
                notes.append(_filled(running, runs, figures))
            with running.nodes(NODES), running.connect() as connection:
                points[runs] = watch_point(running, connection)
    figures["growth"] = growth(points)
    for runs, point in points.items():
        figures.update(point.figures(runs))
    return Round(figures, samples=as_curves(points), notes=notes)


def _filled(running: Cluster, runs: int, figures: dict[str, float]) -> str:
    """What it took, in words."""
    seconds = timed(lambda: fill(running, runs))
    with running.connect() as connection:
        (size,) = connection.execute(SIZE).fetchone() or (0.0,)
    figures["run_bytes"] = size / runs
    return f"{runs:,} runs were written in {seconds:.0f} s and take {size / (1 << 30):.1f} GiB"


SCENARIO = Scenario(
    "growth-history",
    "Growth with the history",
    f"{JOBS} jobs of one item fire every second on {NODES} nodes of {WORKERS} workers, for {SECONDS} s or more, "
    f"over an empty history and over one of {RUNS[-1]:,} completed runs (as many rows in `job_run` and in "
    f"`shard_run`), evenly over the last {DAYS} days, the newest a minute old, vacuumed and on disk. A cluster of its "
    "own for each point.",
    (
        Figure("growth", "processor time per fire with the history, of that without", at_most=1.5),
        *(figure for runs in RUNS for figure in figures_at(runs, f"{runs:,} runs")),
        Figure("run_bytes", "disk that a run of one item takes for as long as it is kept", "bytes"),
    ),
    measure,
    rounds=1,
    draw=draw_panels("x", "runs in the history", PANELS),
)
