"""The planner's bench: its planner really looks at every fire, and takes its own."""

from __future__ import annotations

from bench.planner_scale import ME, measured
from shardkeeper.domain.roster import Roster
from shardkeeper.domain.strategies import balanced
from shardkeeper.domain.view import Member

JOBS, NODES, DUE = 60, 3, 30


def test_each_second_the_planner_creates_the_runs_that_are_its_own() -> None:
    roster = Roster(Member(f"node-{number}", "life") for number in range(NODES))
    own = sum(balanced.first(f"job-{number}", roster) == ME for number in range(DUE))
    found = measured(JOBS, NODES, DUE, seconds=2)
    assert 0 < own < DUE
    assert found["own"] == own


def test_a_look_is_paid_for_by_the_job_that_is_due() -> None:
    found = measured(JOBS, NODES, DUE, seconds=2)
    assert abs(found["due_us"] * DUE / 1e6 - found["second_s"]) < 1e-9
    assert found["view_s"] >= found["view_first_s"] > 0
