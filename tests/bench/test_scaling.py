"""The tables of the page about larger clusters."""

from __future__ import annotations

import pytest

from bench.scenarios.scaling import tables, unit_costs
from bench.scenarios.trend import slope

COSTS = {
    "fire_postgres_ms": 2.0,
    "fire_workers_ms": 0.5,
    "fire_loops_ms": 1.0,
    "fire_wal_bytes": 2000.0,
    "fire_rows": 7.0,
    "fire_wire_bytes": 3000.0,
    "run_bytes": 600.0,
    "node_postgres_ms": 10.0,
    "node_loops_ms": 20.0,
    "node_wire_bytes": 5000.0,
    "node_packets": 3.0,
    "lease_us": 5.0,
    "lease_bytes": 150.0,
    "spec_bytes": 2000.0,
}
PLANNER = {"due_us_10": 20.0, "due_us_1000": 515.0}
JOBS = {"rss_100": 90.0, "job_bytes": 1500.0}


def test_what_a_look_costs_is_a_line_through_both_sizes() -> None:
    costs = unit_costs(COSTS, PLANNER, JOBS)
    assert costs.looked_s(10) == pytest.approx(20e-6)
    assert costs.looked_s(1_000) == pytest.approx(515e-6)


def test_what_the_owner_does_is_what_is_left_without_the_looks_of_all() -> None:
    costs = unit_costs(COSTS, PLANNER, JOBS)
    assert costs.own_s == pytest.approx(0.001 - 3 * costs.looked_s(3))


def test_no_unit_cost_is_less_than_nothing() -> None:
    costs = unit_costs({**COSTS, "fire_loops_ms": 0.001}, {"due_us_10": 1.0, "due_us_1000": 515.0}, JOBS)
    assert (costs.own_s, costs.look_s) == (0.0, 0.0)


def test_more_members_make_no_look_cheaper_where_the_noise_says_so() -> None:
    costs = unit_costs(COSTS, {"due_us_10": 3.0, "due_us_1000": 2.4}, JOBS)
    assert costs.looked_s(1_000) == costs.looked_s(10) == pytest.approx(3e-6)


def test_the_tables_say_what_each_demand_takes_and_name_its_wall() -> None:
    told = tables(unit_costs(COSTS, PLANNER, JOBS))
    assert "| PostgreSQL | 1.03 cores | 100 cores |" in told
    assert "| 1,000 nodes | a node's own process |" in told


def test_a_slope_is_that_of_the_last_part() -> None:
    x = [float(second) for second in range(12)]
    y = [100.0 * second for second in range(4)] + [400.0 + 2 * second for second in range(8)]
    assert slope(x, y, 2 / 3) == pytest.approx(2)
    assert slope(x, y) > 10


def test_there_is_no_line_through_one_sample() -> None:
    with pytest.raises(ValueError, match="fewer than two"):
        slope([1.0, 2.0, 3.0], [1.0, 2.0, 3.0], 1 / 3)
