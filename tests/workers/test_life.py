"""Start, recycling, resizing, close; the death of the node."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptReturned,
    AttemptStarted,
    EndingStatus,
    WorkersChanged,
)
from shardkeeper.workers.pool import ProcessWorkers
from shardkeeper.workers.settings import task_environment
from shardkeeper.workers.strays import MARK, descendants

from .hall import TASKS, Hall, alive, freeze, settings, wait_until

OPEN_HALL = Callable[..., Hall]


@pytest.mark.parametrize("how", ["", "swallows", "holds the lock", "blocks signals"])
def test_a_killed_node_leaves_no_worker_and_no_child_of_one(tmp_path: Path, how: str) -> None:
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.workers.node", str(tmp_path), how]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE) as node:
        wait_until((tmp_path / "ready").exists)
        pids = descendants(node.pid)
        if how not in ("swallows", "holds the lock"):
            pids.append(int((tmp_path / "child").read_text()))
        # three workers and the guard at the least
        assert len(pids) >= 4
        node.kill()
        node.wait()
        wait_until(lambda: not alive(pids))


def test_close_returns_what_has_not_begun_stops_what_runs_and_leaves_no_process(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    running = hall.submit("Hangs", {"how": "swallows"})
    pid = int(hall.told("hanging"))
    queued = hall.submit("Simple")
    hall.workers.close(0.0)
    assert hall.ending(running).status is EndingStatus.STOPPED
    assert [type(event) for event in hall.of(queued)] == [AttemptReturned]
    assert alive([pid]) == []
    hall.workers.close(0.0)
    late = hall.submit("Simple")
    assert [type(event) for event in hall.of(late)] == [AttemptReturned]


def test_close_lets_what_runs_end_within_its_grace(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    file = hall.folder / "go"
    running = hall.submit("Waits", {"file": str(file)})
    hall.told("waiting-0")
    queued = hall.submit("Simple")

    closing = threading.Thread(target=hall.workers.close, args=(30.0,))
    closing.start()
    # the return of the queued one shows that closing has begun
    hall.wait(AttemptReturned)
    file.touch()
    closing.join()
    assert hall.ending(running).result == "done"
    assert hall.wait(AttemptReturned).key == queued.key


def test_workers_that_were_never_started_close() -> None:
    ProcessWorkers(settings()).close(0.0)


def test_start_is_idempotent_and_keeps_the_minimum_warm(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=3, minimum=2)
    hall.workers.start(hall._hear)
    hall.wait(WorkersChanged, lambda event: event.alive == 2)
    assert max(event.wanted for event in hall.events if isinstance(event, WorkersChanged)) == 2


def test_recycling_takes_up_new_code_between_attempts(open_hall: OPEN_HALL, tmp_path: Path) -> None:
    module = tmp_path / "fresh.py"
    source = (
        "from shardkeeper import DistributeTask\nclass Task(DistributeTask):\n    calculate = lambda *a: {}\n"
    )
    module.write_text(source.format(1))
    hall = open_hall(capacity=1, allowed_modules=("fresh", "ill_behaved"), environment=_path(tmp_path))
    file = tmp_path / "go"
    running = hall.submit("Waits", {"file": str(file)})
    hall.told("waiting-0")
    hall.workers.recycle()
    file.touch()
    assert hall.ending(running).result == "done"
    old = hall.run("fresh:Task")
    module.write_text(source.format(22))
    assert hall.run("fresh:Task").result == 1
    hall.workers.recycle()
    new = hall.run("fresh:Task")
    assert (old.result, new.result) == (1, 22)
    assert old.code_version != new.code_version


def _path(folder: Path) -> dict[str, str]:
    return {**settings().environment, "PYTHONPATH": f"{TASKS}:{folder}"}


def test_resizing_changes_how_many_run_at_once(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    file = hall.folder / "go"
    orders = [hall.submit("Waits", {"file": str(file)}, item=item) for item in range(3)]
    hall.told("waiting-0")
    assert not (hall.folder / "waiting-1").exists()
    hall.workers.resize(3)
    assert hall.workers.capacity == 3
    hall.told("waiting-1")
    hall.told("waiting-2")
    hall.workers.resize(1)
    file.touch()
    assert [hall.ending(order).result for order in orders] == ["done"] * 3
    hall.wait(WorkersChanged, lambda event: event.wanted == 1)
    assert len({hall.run("Report").result["pid"] for _ in range(5)}) == 1


def test_workers_that_cannot_be_started_give_the_orders_back_and_say_why(open_hall: OPEN_HALL) -> None:
    hall = open_hall(python="/nowhere/python")
    order = hall.submit("Simple")
    returned = hall.wait(AttemptReturned)
    assert returned.key == order.key
    assert "/nowhere/python" in returned.reason
    assert hall.wait(WorkersChanged, lambda event: event.problem is not None).alive == 0


def test_workers_that_die_while_starting_are_backed_off_and_told(open_hall: OPEN_HALL) -> None:
    hall = open_hall(python="/bin/false")
    hall.submit("Simple")
    assert "exited with code 1" in hall.wait(AttemptReturned).reason


def test_an_order_that_had_not_begun_when_its_worker_died_runs_in_another(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    pid = hall.run("Report").result["pid"]
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    (worker,) = supervisor.crew.own
    freeze(pid)
    order = hall.submit("Simple", {"returns": 1})
    wait_until(lambda: bool(worker.flights))
    os.kill(pid, signal.SIGKILL)
    assert hall.ending(order).result == 1
    assert len([event for event in hall.of(order) if isinstance(event, AttemptStarted)]) == 1


def test_an_order_that_nobody_can_read_fails_alone(hall: Hall) -> None:
    assert hall.run("Simple", context={"odd": float("nan")}).error_type == "BadOrder"
    assert hall.run("Simple", {"returns": 1}).result == 1


def test_orders_behind_some_that_nobody_can_read_wait_for_nothing_else(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=2, idle_s=3600.0)
    hall.run("Simple", {"returns": 0}, isolation="thread")
    supervisor = hall.workers._supervisor
    assert supervisor is not None
    # its next look at anything is far away (the time-out of what has run): whoever waited for that would be seen
    wait_until(lambda: supervisor._look_at > time.monotonic() + 45.0)
    odd = {"odd": float("nan")}
    bad = [hall.order("Simple", context=odd, isolation="thread") for _ in range(2)]
    good = hall.order("Report", isolation="thread")
    hall.workers.submit(*bad, good)
    assert [hall.ending(order).error_type for order in bad] == ["BadOrder", "BadOrder"]
    assert hall.ending(good).error_type is None


def test_a_task_does_not_see_the_daemon_s_credentials(
    monkeypatch: pytest.MonkeyPatch, open_hall: OPEN_HALL
) -> None:
    monkeypatch.setenv("SHARDKEEPER_DATABASE_URL", "postgres://u:p@h/d")
    monkeypatch.setenv("SHARDKEEPER_SLACK__TOKEN", "xoxb-1")
    monkeypatch.setenv("PYTHONPATH", str(TASKS))
    environment = task_environment(os.environ)
    assert MARK not in environment
    hall = open_hall(environment=environment)
    expression = "[k for k in __import__('os').environ if k.startswith('SHARDKEEPER_')]"
    assert hall.run("Evil", {"expression": expression}).result == [MARK]


def test_many_attempts_at_once_end_once_each(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=2)
    orders = [
        hall.submit("Dies", {"how": "exit 9"})
        if number % 50 == 7
        else hall.submit("Simple", {"returns": number})
        for number in range(200)
    ]
    for number, order in enumerate(orders):
        ending = hall.ending(order)
        assert (ending.status is EndingStatus.FAILED) == (number % 50 == 7)
        assert ending.result == (None if number % 50 == 7 else number)
    assert len([event for event in hall.events if isinstance(event, AttemptEnded)]) == 200
