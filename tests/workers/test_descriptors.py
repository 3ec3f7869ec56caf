"""A node that has no file descriptor or no process to spare gives its orders back, and lives."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import pytest

from shardkeeper.ports.workers import AttemptReturned, EndingStatus, WorkersChanged
from shardkeeper.workers.process import WorkerProcess
from shardkeeper.workers.strays import marked
from tests.descriptors import descriptors, descriptors_left

from .hall import Hall, settings, wait_until

OPEN_HALL = Callable[..., Hall]


def started_with(count: int) -> WorkerProcess | None:
    """A worker process that was started with so many descriptors to be had; None: they were too few."""
    try:
        with descriptors_left(count):
            return WorkerProcess(settings(), f"half-way.{count}", False, 64)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        return None


def test_a_worker_for_which_descriptors_run_out_half_way_leaves_nothing_behind() -> None:
    before = descriptors()
    for count in range(64):
        process = started_with(count)
        if process is not None:
            process.kill()
            process.bury(strays=False)
            process.close()
            break
        assert descriptors() == before
        wait_until(lambda: marked("half-way") == [])
    assert 5 < count < 63
    assert descriptors() == before


@pytest.mark.parametrize("lack", ["descriptors", "processes"])
def test_without_descriptors_or_processes_orders_go_back_with_the_reason(
    open_hall: OPEN_HALL, monkeypatch: pytest.MonkeyPatch, lack: str
) -> None:
    broken: list[Exception] = []
    hall = open_hall(capacity=1, broken=lambda part, error: broken.append(error))

    def no_process(*_: Any, **__: Any) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    if lack == "processes":
        monkeypatch.setattr(subprocess, "Popen", no_process)
    with descriptors_left(0) if lack == "descriptors" else nullcontext():
        order = hall.submit("Simple")
        returned = hall.wait(AttemptReturned)
        changed = hall.wait(WorkersChanged, lambda event: event.problem is not None)
    reason = "Too many open files" if lack == "descriptors" else "Resource temporarily unavailable"
    assert returned.key == order.key
    assert reason in returned.reason
    assert reason in (changed.problem or "")
    assert broken == []


def test_a_worker_that_dies_while_there_are_no_descriptors_ends_its_attempt_and_not_the_node(
    open_hall: OPEN_HALL,
) -> None:
    broken: list[Exception] = []
    hall = open_hall(capacity=1, broken=lambda part, error: broken.append(error))
    order = hall.submit("Waits", {"file": str(hall.folder / "never")})
    pid = int(hall.told("waiting-0"))
    with descriptors_left(0):
        os.kill(pid, signal.SIGKILL)
        assert hall.ending(order).status is EndingStatus.FAILED
    assert broken == []
    assert hall.run("Simple", {"returns": 1}).result == 1
