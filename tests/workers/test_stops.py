"""Time-outs and stops: asked, then interrupted, then enforced; one ending each, whatever the task does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import (
    AttemptCheckpointed,
    AttemptEnded,
    AttemptReturned,
    AttemptStarted,
    EndingStatus,
)

from .hall import Hall, alive, wait_until

OPEN_HALL = Callable[..., Hall]
DEAF = ["ignores SIGTERM", "blocks signals", "swallows", "holds the lock"]


@pytest.mark.parametrize("how", [None, *DEAF])
def test_a_hanging_task_times_out_and_its_worker_serves_the_next(hall: Hall, how: str | None) -> None:
    ending = hall.run("Hangs", {"how": how}, timeout_s=0.4)
    assert (ending.status, ending.phase, ending.error_type) == (
        EndingStatus.TIMED_OUT,
        Phase.CALCULATE,
        "TimedOut",
    )
    assert "took longer than 0.4 s" in (ending.error_message or "")
    assert ending.started_at is not None
    assert ending.finished_at is not None
    assert 0.4 <= (ending.finished_at - ending.started_at).total_seconds() < 5
    assert hall.run("Simple", {"returns": 1}).result == 1


@pytest.mark.parametrize("how", [None, "ignores SIGTERM"])
def test_a_timed_out_task_takes_its_children_along(hall: Hall, how: str | None) -> None:
    hall.run("Hangs", {"how": how, "child": True}, timeout_s=0.5)
    assert alive([int(hall.told("child"))]) == []


def test_an_interrupted_task_may_clean_up(hall: Hall) -> None:
    ending = hall.run("Hangs", timeout_s=0.3)
    assert ending.traceback is not None
    assert "TaskStopped" in ending.traceback
    assert hall.told("cleaned")


@pytest.mark.parametrize("phase", ["initialize", "calculate", "validate"])
def test_each_phase_has_its_own_time(hall: Hall, phase: str) -> None:
    limits = {"initialize": 5.0, "calculate": 5.0, "validate": 5.0, phase: 0.3}
    ending = hall.run("Hangs", {"phase": phase}, phase_timeouts_s=limits)
    assert (ending.status, ending.phase) == (EndingStatus.TIMED_OUT, Phase(phase))
    assert ending.error_message == f"{phase} took longer than 0.3 s"


@pytest.mark.parametrize("phase", ["initialize", "calculate", "validate"])
def test_an_attempt_is_stopped_in_any_phase_once(hall: Hall, phase: str) -> None:
    order = hall.submit("Hangs", {"phase": phase})
    hall.told("hanging")
    for _ in range(2):
        hall.workers.stop(order.key, order.claim_no, 0.2)
    ending = hall.ending(order)
    assert (ending.status, ending.phase, ending.cancelled) == (EndingStatus.STOPPED, Phase(phase), False)
    hall.workers.stop(order.key, order.claim_no, 0.0)
    assert hall.run("Simple", {"returns": 1}).result == 1
    assert len([event for event in hall.of(order) if isinstance(event, AttemptEnded)]) == 1


@pytest.mark.parametrize("how", DEAF)
def test_a_task_deaf_to_its_stop_is_killed(hall: Hall, how: str) -> None:
    order = hall.submit("Hangs", {"how": how})
    pid = int(hall.told("hanging"))
    hall.workers.stop(order.key, order.claim_no, 0.2)
    ending = hall.ending(order)
    assert ending.status is EndingStatus.STOPPED
    assert "killed" in (ending.error_message or "")
    assert alive([pid]) == []


def test_a_deaf_task_does_not_hold_up_the_others(hall: Hall) -> None:
    deaf = hall.submit("Hangs", {"how": "swallows"}, timeout_s=0.3)
    hall.told("hanging")
    for number in range(20):
        assert hall.run("Simple", {"returns": number}).result == number
    assert hall.ending(deaf).status is EndingStatus.TIMED_OUT


def test_a_polite_task_sees_the_stop_saves_and_is_stopped(hall: Hall) -> None:
    order = hall.submit("Hangs", {"how": "polite"})
    hall.told("hanging")
    hall.workers.stop(order.key, order.claim_no, 20.0)
    assert hall.ending(order).status is EndingStatus.STOPPED
    assert hall.wait(AttemptCheckpointed).checkpoint == {"stopped": True}


def test_a_task_that_never_saw_its_stop_and_completes_has_completed(hall: Hall) -> None:
    file = hall.folder / "go"
    order = hall.submit("Waits", {"file": str(file)})
    hall.told("waiting-0")
    hall.workers.stop(order.key, order.claim_no, 40.0)
    file.touch()
    ending = hall.ending(order)
    assert (ending.status, ending.result) == (EndingStatus.COMPLETED, "done")


def test_a_stop_before_the_beginning_ends_it_unbegun(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    file = hall.folder / "go"
    running = hall.submit("Waits", {"file": str(file)})
    hall.told("waiting-0")
    queued = hall.submit("Simple")
    hall.workers.stop(queued.key, queued.claim_no, 10.0)
    ending = hall.ending(queued)
    assert (ending.status, ending.started_at) == (EndingStatus.STOPPED, None)
    file.touch()
    assert hall.ending(running).result == "done"
    assert not [event for event in hall.of(queued) if isinstance(event, AttemptStarted)]


def test_stopping_an_import_that_hangs_is_a_stop_and_no_verdict_on_the_job(open_hall: OPEN_HALL) -> None:
    hall = open_hall()
    order = hall.submit("hangs_on_import:Task")
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    wait_until(lambda: any(flight.importing for flight in list(supervisor.desk.flights.values())))
    hall.workers.stop(order.key, order.claim_no, 0.5)
    ending = hall.ending(order)
    assert (ending.status, ending.decline) == (EndingStatus.STOPPED, False)


def test_unknown_attempts_are_not_stopped_and_nothing_is_said(hall: Hall, tmp_path: Path) -> None:
    order = hall.order("Simple")
    hall.workers.stop(order.key, order.claim_no, 0.0)
    assert hall.run("Simple", {"returns": 1}).result == 1
    assert hall.of(order) == []


# isolation "thread"


def test_threads_share_one_process_and_keep_their_logs_apart(hall: Hall) -> None:
    orders = [
        hall.submit("Evil", {"expression": f"print('line {n}') or {n}"}, isolation="thread") for n in range(8)
    ]
    for number, order in enumerate(orders):
        ending = hall.ending(order)
        assert (ending.result, ending.log) == (number, f"line {number}\n")
    pids = {hall.run("Report", isolation="thread").result["pid"] for _ in range(3)}
    assert len(pids) == 1


def test_a_thread_that_computes_is_interrupted_alone(hall: Hall) -> None:
    file = hall.folder / "go"
    neighbour = hall.submit("Waits", {"file": str(file)}, isolation="thread")
    hall.told("waiting-0")
    pid = hall.run("Report", isolation="thread").result["pid"]
    assert (
        hall.run("Hangs", {"how": "thread"}, isolation="thread", timeout_s=0.3).status
        is EndingStatus.TIMED_OUT
    )
    order = hall.submit("Hangs", {"how": "thread"}, isolation="thread")
    hall.started(order)
    hall.workers.stop(order.key, order.claim_no, 2.0)
    assert hall.ending(order).status is EndingStatus.STOPPED
    file.touch()
    assert hall.ending(neighbour).result == "done"
    assert hall.run("Report", isolation="thread").result["pid"] == pid


def test_a_deaf_thread_costs_its_neighbours_their_attempt_and_is_named(hall: Hall) -> None:
    neighbour = hall.submit("Waits", {"file": "/nowhere"}, isolation="thread")
    hall.told("waiting-0")
    own = hall.submit("Waits", {"file": str(hall.folder / "go")}, item=1)
    hall.told("waiting-1")
    deaf = hall.submit(
        "Hangs", {"how": "swallows"}, isolation="thread", timeout_s=0.3, context={"job_name": "deaf-one"}
    )
    assert hall.ending(deaf).status is EndingStatus.TIMED_OUT
    ending = hall.ending(neighbour)
    assert (ending.status, ending.error_type) == (EndingStatus.FAILED, "WorkerDied")
    assert "deaf-one item 0 of run" in (ending.error_message or "")
    assert hall.run("Simple", {"returns": 2}, isolation="thread").result == 2
    (hall.folder / "go").touch()
    assert hall.ending(own).result == "done"


def test_what_has_not_begun_is_taken_back_and_what_has_goes_on(hall: Hall) -> None:
    running = [hall.submit("Hangs", {"how": None}, timeout_s=60.0) for _ in range(2)]
    for order in running:
        hall.started(order)
    waiting = hall.submit("Simple", {"returns": 1})
    for order in (running[0], waiting):
        hall.workers.take_back(order.key, order.claim_no)
    assert hall.wait(AttemptReturned).key == waiting.key
    hall.workers.take_back(waiting.key, waiting.claim_no)
    for order in running:
        hall.workers.stop(order.key, order.claim_no, 0.2)
        assert hall.ending(order).status is EndingStatus.STOPPED
    assert len(hall.of(waiting)) == 1
