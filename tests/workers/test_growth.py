"""Workers come with the work, go when it is gone, and change in number under load."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from shardkeeper.ports.workers import (
    AttemptReturned,
    EndingStatus,
    Isolation,
    WorkersChanged,
)
from shardkeeper.workers import crew
from shardkeeper.workers.process import WorkerProcess

from .hall import Hall, alive, take_for_short, wait_until

OPEN_HALL = Callable[..., Hall]


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_from_2_to_8_to_1_under_load_nothing_is_lost_doubled_or_cut_off(
    open_hall: OPEN_HALL, isolation: str
) -> None:
    hall = open_hall(capacity=2)
    waits = {"do": "wait", "file": str(hall.folder / "go")}
    long = [hall.submit("Turns", waits, item=number, isolation=isolation) for number in range(8)]
    short = [hall.submit("Turns", {"returns": number}, isolation=isolation) for number in range(150)]
    hall.told("waiting-0")
    hall.told("waiting-1")
    assert not (hall.folder / "waiting-2").exists()
    hall.workers.resize(8)
    pids = {hall.told(f"waiting-{number}") for number in range(8)}
    assert len(pids) == (8 if isolation == "process" else 1)
    hall.workers.resize(1)
    short += [hall.submit("Turns", {"returns": number}, isolation=isolation) for number in range(150, 300)]
    (hall.folder / "go").touch()
    assert all(hall.ending(order).status is EndingStatus.COMPLETED for order in long)
    assert [hall.ending(order).result for order in short] == list(range(300))
    assert all(map(hall.ran_once, [*long, *short]))
    if isolation == "process":
        hall.wait(WorkersChanged, lambda event: (event.alive, event.wanted) == (1, 1))
        assert len({hall.run("Report").result["pid"] for _ in range(5)}) == 1
    assert not [event for event in hall.events if isinstance(event, AttemptReturned)]


def test_more_begin_at_a_time_in_the_shared_worker_when_there_may_be_more_and_fewer_when_fewer(
    open_hall: OPEN_HALL,
) -> None:
    hall = open_hall(capacity=1)
    files = [hall.folder / f"go-{number}" for number in range(5)]
    orders = [
        hall.submit("Turns", {"do": "wait", "file": str(file)}, item=number, isolation="thread")
        for number, file in enumerate(files)
    ]
    hall.told("waiting-0")
    hall.workers.resize(3)
    # both, in whatever order they begin: one that finds its file there is over at once, and gets others behind it
    hall.told("waiting-1")
    hall.told("waiting-2")
    hall.workers.resize(1)
    for file in files[:2]:
        file.touch()
    for order in orders[:2]:
        hall.ending(order)
    assert not (hall.folder / "waiting-3").exists()
    for file in files[2:]:
        file.touch()
    assert all(hall.ending(order).status is EndingStatus.COMPLETED for order in orders)


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_what_cannot_be_started_on_a_hint_is_no_trouble(
    open_hall: OPEN_HALL, monkeypatch: pytest.MonkeyPatch, isolation: Isolation
) -> None:
    hall = open_hall(capacity=8, minimum=1, restart_intensity=0)
    hall.wait(WorkersChanged, lambda event: event.alive == 1)
    refused: list[str] = []

    def start(*given: Any) -> WorkerProcess:
        refused.append(isolation)
        raise OSError("no more processes")

    monkeypatch.setattr(crew, "WorkerProcess", start)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(8)))
    hall.workers.warm(isolation)
    wait_until(lambda: bool(refused))
    assert hall.run("Simple", {"returns": 1}).result == 1
    assert len(refused) == 1
    changes = [event for event in hall.events if isinstance(event, WorkersChanged)]
    assert [event.problem for event in changes if event.problem] == []
    monkeypatch.undo()
    assert hall.run("Simple", {"returns": 1}, isolation=isolation).result == 1


def test_a_shared_worker_that_leaves_takes_no_other_s_place(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    waits = {"do": "wait", "file": str(hall.folder / "go")}
    runs = hall.submit("Turns", waits, isolation="thread")
    hall.told("waiting-0")
    hall.workers.recycle()
    assert hall.run("Simple", {"returns": 1}).result == 1
    (hall.folder / "go").touch()
    assert hall.ending(runs).status is EndingStatus.COMPLETED


def test_what_cannot_be_started_is_not_tried_for_when_nothing_waits_any_more(
    open_hall: OPEN_HALL, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall = open_hall(capacity=8, minimum=1, restart_intensity=10_000)
    hall.wait(WorkersChanged, lambda event: event.alive == 1)

    def start(*given: Any) -> WorkerProcess:
        raise OSError("no more processes")

    monkeypatch.setattr(crew, "WorkerProcess", start)
    hall.workers.submit(*(hall.order("Simple", {"returns": number}) for number in range(40)))
    hall.wait(WorkersChanged, lambda event: event.wanted == 8)
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    wait_until(lambda: not supervisor.crew.starts_missing)
    assert supervisor.crew.restarts.problem is None


def test_those_that_die_after_a_hint_before_they_can_do_anything_are_not_started_again(
    open_hall: OPEN_HALL,
) -> None:
    hall = open_hall(capacity=2, python="/bin/false")
    hall.workers.warm("process")
    hall.wait(WorkersChanged, lambda event: event.restarts == min(2, len(os.sched_getaffinity(0))))
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    assert not supervisor.crew.starts_missing


@pytest.mark.parametrize("known", [False, True])
def test_after_a_shrinkage_not_even_a_short_one_begins_beside_one_that_runs(
    open_hall: OPEN_HALL, known: bool
) -> None:
    hall = open_hall(capacity=2)
    if known:
        hall.run("Turns")
        take_for_short(hall)
    files = [hall.folder / f"go-{number}" for number in range(2)]
    first, second = (
        hall.submit("Turns", {"do": "wait", "file": str(file)}, item=number, isolation="thread")
        for number, file in enumerate(files)
    )
    hall.told("waiting-0")
    hall.told("waiting-1")
    take_for_short(hall)
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    assert supervisor.crew.shared is not None
    held = list(supervisor.crew.shared.flights.values())
    wait_until(lambda: not any(flight.short for flight in held))
    hall.workers.resize(1)
    files[0].touch()
    hall.ending(first)
    late = {"do": "wait", "file": str(files[0])}
    third = hall.submit("Turns", late, item=2, isolation="thread")
    hall.run("Turns")
    assert not (hall.folder / "waiting-2").exists()
    files[1].touch()
    assert [hall.ending(one).status for one in (second, third)] == [EndingStatus.COMPLETED] * 2


def test_idle_workers_above_the_minimum_end_after_a_while(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=4, minimum=1, idle_s=0.2)
    waits = {"do": "wait", "file": str(hall.folder / "go")}
    orders = [hall.submit("Turns", waits, item=number) for number in range(4)]
    shared = hall.run("Report", isolation="thread").result["pid"]
    pids = [int(hall.told(f"waiting-{number}")) for number in range(4)]
    (hall.folder / "go").touch()
    for order in orders:
        hall.ending(order)
    wait_until(lambda: len(alive([*pids, shared])) == 1)
    (left,) = alive([*pids, shared])
    assert left in pids
    last = [event for event in hall.events if isinstance(event, WorkersChanged)][-1]
    assert (last.alive, last.wanted, last.restarts) == (1, 1, 0)
    again = [hall.submit("Simple", {"returns": number}) for number in range(4)]
    assert [hall.ending(order).result for order in again] == list(range(4))
    assert hall.run("Report", isolation="thread").status is EndingStatus.COMPLETED


def shared_workers() -> list[int]:
    """The worker processes for threads that this process has started."""
    found = []
    for child in psutil.Process().children():
        try:
            command = child.cmdline()
        except psutil.NoSuchProcess:
            continue
        found += [child.pid] if "shardkeeper.workers.child" in command and command[-1] == "shared" else []
    return found


def test_workers_that_are_warmed_are_there_before_the_first_order(open_hall: OPEN_HALL) -> None:
    before = shared_workers()
    hall = open_hall(capacity=2)
    hall.workers.warm("process")
    most = min(2, len(os.sched_getaffinity(0)))
    hall.wait(WorkersChanged, lambda event: (event.alive, event.wanted) == (most, most))
    hall.workers.warm("thread")
    wait_until(lambda: len(shared_workers()) > len(before))
    (warm,) = set(shared_workers()) - set(before)
    assert hall.run("Report", isolation="thread").result["pid"] == warm


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_warmed_workers_that_get_nothing_to_do_end_after_a_while(
    open_hall: OPEN_HALL, isolation: Isolation
) -> None:
    before = {child.pid for child in psutil.Process().children()}
    hall = open_hall(capacity=1, idle_s=0.2)
    hall.workers.warm(isolation)

    def workers() -> list[int]:
        return alive(child.pid for child in psutil.Process().children() if child.pid not in before)

    # the guard stays until the end
    wait_until(lambda: len(workers()) == 2)
    wait_until(lambda: len(workers()) == 1)
    assert hall.run("Report", isolation=isolation).status is EndingStatus.COMPLETED
