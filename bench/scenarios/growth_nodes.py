"""What a fire costs when more nodes share the same work, on the processors of one machine."""

from __future__ import annotations

from bench.cluster import cluster
from bench.scenarios.growing import JOBS, PANELS, SECONDS, Point, as_curves, figures_at, watch_point
from bench.suite.panels import draw_panels
from bench.suite.scenario import Figure, Round, Scenario
from bench.zookeeper import standing

NODES, WORKERS = (1, 3, 5, 9), 1


def measure() -> Round:
    """A cluster for each point."""
    points: dict[int, Point] = {}
    watches: dict[int, float] = {}
    for nodes in NODES:
        with cluster(nodes, WORKERS) as running, running.connect() as connection:
            points[nodes] = watch_point(running, connection)
            watches[nodes] = float(standing(running.zookeeper).watches)
    figures = {f"watches_{nodes}": count for nodes, count in watches.items()}
    for nodes, point in points.items():
        figures.update(point.figures(nodes))
    return Round(figures, samples=as_curves(points))


SCENARIO = Scenario(
    "growth-nodes",
    "Growth with the nodes",
    f"{JOBS} jobs of one item fire every second, for {SECONDS} s or more, on {', '.join(map(str, NODES))} nodes of "
    f"{WORKERS} worker each; all share the processors of one machine. A cluster of its own for each point. "
    "That processor time per fire grows is no surprise: each node has its own beat, and finds out of every fire whose "
    "it is.",
    (
        *(figure for nodes in NODES for figure in figures_at(nodes, f"{nodes} nodes")),
        *(Figure(f"watches_{nodes}", f"{nodes} nodes: watches in ZooKeeper") for nodes in NODES),
    ),
    measure,
    rounds=1,
    draw=draw_panels("x", "nodes", PANELS),
)
