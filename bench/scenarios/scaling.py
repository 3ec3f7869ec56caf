"""The tables of docs/scaling.md, from what `costs`, `planner` and `growth-jobs` have left in docs/benchmarks/."""

from __future__ import annotations

import json
from collections.abc import Mapping
from math import isinf
from pathlib import Path

from bench.figures import MIB
from bench.scenarios.cost_model import Demand, UnitCosts, best_nodes, first_wall, needs, used_up_at
from bench.suite.answer import written
from bench.tables import markdown_table

DOCS = Path(__file__).parents[2] / "docs"
PAGE = DOCS / "scaling.md"
BEGINS, ENDS = "<!-- from here on written by python -m bench -->", "<!-- up to here -->"

DEMANDS = (
    Demand(3, 10_000, 500),
    Demand(10, 1_000_000, 50_000),
    Demand(100, 1_000_000, 50_000),
    Demand(1_000, 1_000_000, 50_000),
)
SIZES = (1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1_000)
COSTS_NODES = 3

Medians = Mapping[str, float]


def renew() -> None:
    """Write the tables into the page, where all three documents are there."""
    found = [_medians(name) for name in ("costs", "planner", "growth-jobs")]
    if PAGE.exists() and all(found):
        head, _, rest = PAGE.read_text().partition(BEGINS)
        _, _, tail = rest.partition(ENDS)
        PAGE.write_text(f"{head}{BEGINS}\n\n{tables(unit_costs(*found))}\n\n{ENDS}{tail}")


def unit_costs(costs: Medians, planner: Medians, jobs: Medians) -> UnitCosts:
    """From the medians of the three scenarios. What the owner of a fire does is what all nodes together spend on it,
    less their looks at it."""
    # whose a fire is, is remembered: what more members add may be less than the noise
    look_node_s = max(0.0, planner["due_us_1000"] - planner["due_us_10"]) / 990 / 1e6
    look_s = max(0.0, planner["due_us_10"] / 1e6 - 10 * look_node_s)
    looks_s = COSTS_NODES * (look_s + COSTS_NODES * look_node_s)
    return UnitCosts(
        postgres_s=costs["fire_postgres_ms"] / 1000,
        worker_s=costs["fire_workers_ms"] / 1000,
        own_s=max(0.0, costs["fire_loops_ms"] / 1000 - looks_s),
        look_s=look_s,
        look_node_s=look_node_s,
        wal_bytes=costs["fire_wal_bytes"],
        rows=costs["fire_rows"],
        wire_bytes=costs["fire_wire_bytes"],
        run_bytes=costs["run_bytes"],
        node_postgres_s=costs["node_postgres_ms"] / 1000,
        node_loop_s=costs["node_loops_ms"] / 1000,
        node_wire_bytes=costs["node_wire_bytes"],
        node_packets=costs["node_packets"],
        lease_postgres_s=costs["lease_us"] / 1e6,
        lease_bytes=costs["lease_bytes"],
        node_bytes=jobs["rss_100"] * MIB,
        job_bytes=jobs["job_bytes"],
        spec_bytes=costs["spec_bytes"],
    )


def tables(costs: UnitCosts) -> str:
    """What each demand takes, and where its first wall stands."""
    columns = [needs(costs, demand) for demand in DEMANDS]
    named = [
        f"{demand.nodes:,} nodes, {demand.jobs:,} jobs, {demand.fires_per_s:,.0f} fires/s"
        for demand in DEMANDS
    ]
    rows = [
        [line[0].what, *(written(need.amount, need.unit) for need in line), _has(line[0].has, line[0].unit)]
        for line in zip(*columns, strict=True)
    ]
    walls = [_wall(costs, demand) for demand in DEMANDS]
    nodes, most = best_nodes(costs, SIZES, DEMANDS[1].jobs)
    return "\n\n".join(
        (
            markdown_table(("takes", *named, "of"), rows),
            markdown_table(("with", "used up first", "at", "then"), walls),
            f"Most fires before any of these is used up: {most:,.0f}/s, with {nodes:,} nodes.",
        )
    )


def _wall(costs: UnitCosts, demand: Demand) -> list[str]:
    walls = sorted(used_up_at(costs, demand).items(), key=lambda wall: wall[1])
    what, fires = first_wall(costs, demand)
    then = next((f"{name} at {at:,.0f}/s" for name, at in walls if name != what and not isinf(at)), "–")
    return [f"{demand.nodes:,} nodes", what, f"{fires:,.0f} fires/s", then]


def _has(has: float | None, unit: str) -> str:
    return "" if has is None else "32 cores a node" if unit == "cores" and has > 64 else written(has, unit)


def _medians(name: str) -> Medians:
    path = DOCS / "benchmarks" / f"{name}.json"
    found: Medians = json.loads(path.read_text())["medians"] if path.exists() else {}
    return found
