"""Stories of submitted work told by hand, each in a simulated cluster that is judged when it has come to rest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from shardkeeper.domain.runs import AttemptStatus, RunStatus
from shardkeeper.simulation.checker.judge import judge
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.seeded import come_to_rest
from shardkeeper.simulation.tasks import Weather
from shardkeeper.simulation.world import World

SECOND = timedelta(seconds=1)


@pytest.fixture
def world() -> Iterator[World]:
    """Two nodes with two workers each."""
    made = World(1, [MachinePlan(name, name, capacity=2) for name in ("a", "b")])
    made.tasks.weather = Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    made.run(0.337)
    made.people.put_impl()
    made.start_all()
    made.run(15.0)
    yield made
    made.heal()
    come_to_rest(made)
    assert [str(broken) for broken in judge(made)] == []


def test_workers_go_from_two_to_eight_to_one_while_loaded_and_nothing_is_lost_or_doubled(
    world: World,
) -> None:
    world.people.put_job("work")
    runs = world.people.submit("work", [{"seconds": 0.5}] * 80)
    assert runs is not None
    for workers in (8, 1):
        world.run(2.0)
        for name in ("a", "b"):
            world.people.store.order_workers(name, workers, "people")
    assert world.run_until(lambda: not world.database.open_runs, 60.0)
    assert {world.database.runs[run].status for run in runs} == {RunStatus.COMPLETED}
    assert len(world.witnesses.all) == len(runs)
    assert {8, 1} <= {capacity for _, _, capacity in world.witnesses.capacities}


def test_a_task_that_saves_its_steps_goes_on_where_its_node_was_killed(world: World) -> None:
    world.people.put_job("work")
    world.people.submit("work", [{"steps": 10}])
    assert world.run_until(lambda: bool(world.witnesses.all), 5.0)
    first = world.witnesses.all[0]
    world.run(2.0)
    world.machines[first.node_id].kill()
    assert world.run_until(lambda: not world.database.open_runs, 30.0)
    (run,) = world.database.runs.values()
    assert [row.status for row in run.attempts[0]] == [AttemptStatus.LOST, AttemptStatus.COMPLETED]
    assert world.witnesses.all[-1].checkpoint["step"] >= 6


def test_poison_ends_after_its_attempts_and_holds_up_nobody(world: World) -> None:
    world.people.put_job("work", max_attempts=3, retry_delay=SECOND)
    answer = world.people.submit("work", [{"does": "dies"}, *([{"seconds": 0.1}] * 20)])
    assert answer is not None
    world.run(20.0)
    statuses = [world.database.runs[run].status for run in answer]
    assert statuses == [RunStatus.FAILED] + [RunStatus.COMPLETED] * 20
    assert len(world.database.runs[answer[0]].attempts[0]) == 3


def test_whoever_hears_no_answer_submits_again_with_the_same_key_and_gets_the_same_run(world: World) -> None:
    world.people.put_job("work")
    assert world.people.submit("work", [{}], ["order-7"], bulk=False, unheard=True) is None
    first = world.people.submit("work", [{}], ["order-7"], bulk=False)
    assert first == world.people.submit("work", [{}, {}], ["order-7", "order-7"])[:1]  # type: ignore[index]
    assert len(world.database.runs) == 1


def test_a_point_of_priority_overtakes_a_minute_of_waiting_and_no_more(world: World) -> None:
    world.people.put_job("work")
    world.cut_store()
    old, urgent = (world.people.submit("work", [{"seconds": 1.0}] * 8, priority=way) for way in (0, 2))
    assert old is not None
    assert urgent is not None
    world.heal_store()
    assert world.run_until(lambda: not world.database.open_runs, 30.0)
    began = [one.key.run_id for one in world.witnesses.all]
    assert set(began[:8]) == set(urgent)
    world.cut_store()
    aged = world.people.submit("work", [{"seconds": 1.0}] * 8)
    world.run(125.0)
    young = world.people.submit("work", [{"seconds": 1.0}] * 8, priority=2)
    assert aged is not None
    assert young is not None
    world.heal_store()
    assert world.run_until(lambda: not world.database.open_runs, 40.0)
    assert {one.key.run_id for one in world.witnesses.all[16:24]} == set(aged)


def test_what_pins_labels_that_nobody_has_is_closed_although_the_job_asks_for_others_by_now(
    world: World,
) -> None:
    world.people.put_job("work", node_selector={"zone": "north"})
    answer = world.people.submit("work", [{}])
    assert answer is not None
    world.people.put_job("work", node_selector={})
    assert world.run_until(lambda: not world.database.open_runs, 60.0)
    (row,) = world.database.runs[answer[0]].attempts[0]
    assert (row.status, row.error_type) == (AttemptStatus.FAILED, "NoEligibleNode")


def test_a_job_that_follows_two_runs_once_when_both_have_completed(world: World) -> None:
    world.people.put_job("left", every=5 * SECOND)
    world.people.put_job("right", every=5 * SECOND)
    world.people.put_job("after", follows={"jobs": ["left", "right"]})
    world.run(21.0)
    followed = [run for run in world.database.runs.values() if run.job_name == "after"]
    assert len(followed) >= 3
    assert len({run.fire_time for run in followed}) == len(followed)
