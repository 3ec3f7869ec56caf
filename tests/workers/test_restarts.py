"""How often workers may die, whoever's doing it is."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from shardkeeper.ports.workers import AttemptEnded, EndingStatus, WorkersChanged
from shardkeeper.workers.restarts import Restarts

from .hall import TASKS, Hall, wait_until

OPEN_HALL = Callable[..., Hall]


def restarts(intensity: int = 3) -> Restarts:
    return Restarts(intensity, period_s=10.0, draw=lambda: 1.0)


def idle_death(one: Restarts, now: float) -> float:
    """Seconds until the next start."""
    one.died("killed", by_task=False, now=now)
    return one.next_start_at - now


def test_each_death_by_nobody_s_doing_doubles_the_wait_until_the_supervisor_gives_up() -> None:
    one = restarts(intensity=3)
    now = 100.0
    waits = []
    for _ in range(3):
        waits.append(idle_death(one, now))
        now = one.next_start_at
    assert waits == pytest.approx([0.05, 0.1, 0.2])
    assert idle_death(one, now) == pytest.approx(5.0)
    assert (one.problem, one.count) == ("killed", 4)


def test_those_that_die_together_count_once() -> None:
    one = restarts(intensity=3)
    for _ in range(20):
        idle_death(one, 100.0)
    assert (one.problem, one.count) == (None, 20)


def test_starts_that_come_to_nothing_together_count_once_however_far_apart_they_do() -> None:
    one = restarts(intensity=3)
    now = 100.0
    for turn in range(3):
        assert one.problem is None, turn
        started_at = now
        for _ in range(5):
            now += 1.0
            one.not_started("no memory", others_live=False, started_at=started_at, now=now)
    assert one.problem == "no memory"
    assert one.next_start_at == pytest.approx(now - 4.0 + 5.0), "the first cool-down"


def test_one_that_was_started_in_the_instant_of_another_s_failure_counts_with_it() -> None:
    one = restarts(intensity=0)
    one.not_started("no memory", others_live=True, started_at=100.0, now=100.0)
    until = one.next_start_at
    one.not_started("no memory", others_live=True, started_at=100.0, now=101.0)
    assert one.next_start_at == until


def test_after_a_cool_down_one_start_that_comes_to_nothing_is_enough_whoever_lives() -> None:
    one = restarts(intensity=3)
    for _ in range(4):
        idle_death(one, max(100.0, one.next_start_at))
    assert one.problem is not None
    tried_at = one.next_start_at
    one.not_started("no memory", others_live=True, started_at=tried_at, now=tried_at + 0.5)
    assert one.next_start_at == pytest.approx(tried_at + 0.5 + 10.0), "the second cool-down"


def test_starts_that_were_under_way_when_it_gave_up_do_not_make_the_cool_down_longer() -> None:
    one = restarts(intensity=0)
    idle_death(one, 100.0)
    until = one.next_start_at
    one.not_started("no memory", others_live=False, started_at=99.0, now=101.0)
    assert one.next_start_at == until


def test_deaths_far_apart_are_forgotten() -> None:
    one = restarts(intensity=3)
    for number in range(50):
        assert idle_death(one, 100.0 + 4.0 * number) < 0.21
    assert one.problem is None


def test_a_worker_that_lives_ends_the_trouble_and_the_next_cool_down_is_longer() -> None:
    one = restarts(intensity=0)
    cool_downs = []
    now = 100.0
    for _ in range(8):
        cool_downs.append(idle_death(one, now))
        assert one.problem is not None
        now = one.next_start_at
        one.ready()
        assert one.problem is None
    assert cool_downs == pytest.approx([5, 10, 20, 40, 80, 120, 120, 120])
    assert idle_death(one, now + 1000.0) == pytest.approx(5.0)


def test_starts_that_come_to_nothing_are_a_problem_only_while_nobody_lives() -> None:
    one = restarts(intensity=100)
    for number in range(5):
        one.not_started("no memory", True, started_at=1000.0 * number, now=1000.0 * number)
    assert one.problem is None
    one.not_started("no memory", False, started_at=10_000.0, now=10_000.0)
    assert one.problem == "no memory"


def test_tasks_that_kill_their_workers_space_the_starts_and_no_more() -> None:
    one = restarts(intensity=3)
    now = 100.0
    for number in range(100):
        one.died("exit 9", by_task=True, now=now)
        wait_s = max(0.0, one.next_start_at - now)
        assert wait_s == 0.0 if number < 3 else wait_s < 1.01
        now += wait_s
    assert (one.problem, one.count) == (None, 100)
    assert now - 100.0 > 10.0


def kill_idle_workers(hall: Hall) -> None:
    """Each time that the one worker is alive, until it is given up."""
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    killed: set[int] = set()

    def next_one() -> bool:
        for worker in list(supervisor.crew.own):
            if worker.ready and worker.process.pid not in killed:
                killed.add(worker.process.pid)
                os.kill(worker.process.pid, signal.SIGKILL)
        return supervisor.crew.restarts.problem is not None

    wait_until(next_one)


def test_a_node_whose_workers_die_takes_no_work_and_tries_again_by_itself(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1, minimum=1, restart_intensity=1)
    hall.wait(WorkersChanged, lambda event: event.alive == 1)
    kill_idle_workers(hall)
    told = hall.wait(WorkersChanged, lambda event: event.problem is not None)
    assert "SIGKILL" in (told.problem or "")
    assert told.restarts == 2
    # after the cool-down, with nothing asked of it
    again = hall.wait(
        WorkersChanged, lambda event: event.problem is None and event.restarts == 2 and event.alive == 1
    )
    assert hall.events.index(again) > hall.events.index(told)
    assert hall.run("Simple", {"returns": 1}).result == 1


@pytest.mark.parametrize("minimum", [2, 1])
def test_a_node_that_has_given_up_recovers_though_some_of_its_workers_live(
    open_hall: OPEN_HALL, minimum: int
) -> None:
    hall = open_hall(capacity=minimum, minimum=minimum, restart_intensity=0)
    hall.wait(WorkersChanged, lambda event: event.alive == minimum)
    killed = (
        hall.run("Report").result["pid"]
        if minimum == 2
        else hall.run("Report", isolation="thread").result["pid"]
    )
    os.kill(killed, signal.SIGKILL)
    hall.wait(WorkersChanged, lambda event: event.problem is not None)
    hall.wait(
        WorkersChanged,
        lambda event: event.problem is None and event.restarts == 1 and event.alive == minimum,
    )
    assert hall.run("Simple", {"returns": 1}).result == 1


def test_a_node_recovers_while_those_that_leave_take_all_places(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1, restart_intensity=0)
    waits = {"do": "wait", "file": str(hall.folder / "go")}
    runs = hall.submit("Turns", waits)
    hall.told("waiting-0")
    hall.workers.recycle()
    killed = hall.run("Report", isolation="thread").result["pid"]
    os.kill(killed, signal.SIGKILL)
    hall.wait(WorkersChanged, lambda event: event.problem is not None)
    hall.wait(WorkersChanged, lambda event: event.problem is None and event.restarts == 1)
    assert hall.run("Simple", {"returns": 1}, isolation="thread").result == 1
    (hall.folder / "go").touch()
    assert hall.ending(runs).status is EndingStatus.COMPLETED


def test_a_poison_task_fails_each_time_and_takes_no_node_with_it(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=2, restart_intensity=1)
    orders = [hall.submit("Dies", {"how": "exit 9"}) for _ in range(8)]
    good = [hall.submit("Simple", {"returns": number}) for number in range(8)]
    assert all(hall.ending(order).status is EndingStatus.FAILED for order in orders)
    assert [hall.ending(order).result for order in good] == list(range(8))
    changes = [event for event in hall.events if isinstance(event, WorkersChanged)]
    assert all(event.problem is None for event in changes)
    hall.wait(WorkersChanged, lambda event: event.restarts == 8)
    assert len([event for event in hall.events if isinstance(event, AttemptEnded)]) == 16


def test_a_worker_that_somebody_kills_while_it_imports_does_not_make_the_node_decline(
    open_hall: OPEN_HALL, tmp_path: Path
) -> None:
    environment = {**os.environ, "PYTHONPATH": str(TASKS), "KILLED_ONCE": str(tmp_path / "killed")}
    hall = open_hall(capacity=1, environment=environment)
    ending = hall.run("killed_once_on_import:Task")
    assert (ending.status, ending.result) == (EndingStatus.COMPLETED, "imported")
    hall.wait(WorkersChanged, lambda event: event.restarts == 1)


def test_a_supervisor_with_a_defect_ends_the_node_loudly_and_leaves_no_worker(
    open_hall: OPEN_HALL, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken: list[tuple[str, Exception]] = []
    hall = open_hall(capacity=1, broken=lambda part, error: broken.append((part, error)))
    pid = hall.run("Report").result["pid"]
    supervisor = hall.workers._supervisor
    assert supervisor is not None

    def defect() -> None:
        raise ZeroDivisionError("a defect")

    supervisor.command(defect)
    supervisor.join()
    ((part, error),) = broken
    assert (part, str(error)) == ("workers", "a defect")
    wait_until(lambda: not Path(f"/proc/{pid}").exists())
    order = hall.submit("Simple")
    assert len(hall.of(order)) == 1
