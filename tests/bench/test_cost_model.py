"""What a cluster would take, worked out from unit costs."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest

from bench.scenarios.cost_model import (
    GIB,
    MIB,
    Demand,
    UnitCosts,
    best_nodes,
    first_wall,
    needs,
    used_up_at,
    watches,
)

NOTHING = UnitCosts(*[0.0] * 18)
COSTS = replace(NOTHING, own_s=0.001, look_s=0.0001, look_node_s=0.00001, postgres_s=0.002)


def amount(costs: UnitCosts, demand: Demand, what: str) -> float:
    return next(need.amount for need in needs(costs, demand) if need.what == what)


def test_a_node_pays_for_its_own_fires_and_for_a_look_at_everybodys() -> None:
    demand = Demand(10, 0, 100)
    assert amount(COSTS, demand, "a node's own process") == pytest.approx(10 * 0.001 + 100 * 0.0002)


def test_leases_told_grow_with_the_square_of_the_nodes() -> None:
    costs = replace(NOTHING, lease_postgres_s=0.001, lease_bytes=float(MIB))
    assert amount(costs, Demand(10, 0, 0), "PostgreSQL") == pytest.approx(0.1)
    assert amount(costs, Demand(100, 0, 0), "PostgreSQL") == pytest.approx(10)
    slower = replace(costs, beat_period_s=2.0)
    assert amount(slower, Demand(10, 0, 0), "network, all together") == pytest.approx(50)


def test_what_is_kept_grows_with_the_fires_and_with_the_jobs() -> None:
    costs = replace(NOTHING, run_bytes=1024.0, job_bytes=1024.0, node_bytes=float(GIB), spec_bytes=2048.0)
    demand = Demand(1, 1 << 20, 1024)
    assert amount(costs, demand, "history, each day") == pytest.approx(86_400 / 1024)
    assert amount(costs, demand, "memory of a node") == pytest.approx(2)
    assert amount(costs, demand, "specs in PostgreSQL") == pytest.approx(2)


def test_every_node_watches_every_node_and_three_places_more() -> None:
    assert [watches(nodes) for nodes in (1, 3, 9)] == [4, 18, 108]


def test_the_first_wall_is_what_is_used_up_by_the_fewest_fires() -> None:
    few = used_up_at(COSTS, Demand(10, 0, 0))
    assert few["PostgreSQL"] == pytest.approx(32_000)
    assert few["a node's own process"] == pytest.approx(1 / (0.0001 + 0.0002))
    what, fires = first_wall(COSTS, Demand(10, 0, 0))
    assert what == "a node's own process"
    assert fires == pytest.approx(10_000 / 3)


def test_at_the_wall_a_resource_is_used_up() -> None:
    demand = Demand(10, 0, used_up_at(COSTS, Demand(10, 0, 0))["PostgreSQL"])
    assert amount(COSTS, demand, "PostgreSQL") == pytest.approx(64)


def test_what_is_used_up_without_any_fire_is_a_wall_at_none_and_what_fires_do_not_touch_is_no_wall() -> None:
    full = replace(COSTS, node_bytes=17.0 * GIB)
    assert used_up_at(full, Demand(10, 0, 0))["memory of a node"] == 0
    assert used_up_at(COSTS, Demand(10, 0, 0))["memory of a node"] == inf


def test_more_nodes_help_until_their_looks_cost_more_than_they_do() -> None:
    # own / n + look + node * n is least where node * n² = own
    assert best_nodes(COSTS, range(1, 101), 0)[0] == 10
