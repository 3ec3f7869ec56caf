"""The timers wake the node, each key once, however late."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo

import pytest

from shardkeeper.timers.apscheduler_timers import ApschedulerTimers
from tests.waiting import wait_until


@pytest.fixture
def fired() -> queue.Queue[str]:
    return queue.Queue()


@pytest.fixture
def timers(fired: queue.Queue[str]) -> Iterator[ApschedulerTimers]:
    timers = ApschedulerTimers()
    timers.start(fired.put)
    yield timers
    timers.stop()


def soon(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)


def test_an_armed_key_fires_once_and_not_early(timers: ApschedulerTimers, fired: queue.Queue[str]) -> None:
    at = soon(0.1)
    timers.arm("a", at)
    assert fired.get(timeout=5) == "a"
    assert datetime.now(UTC) >= at
    timers.arm("end", soon(0))
    assert fired.get(timeout=5) == "end"


def test_what_is_past_fires_at_once_however_old(timers: ApschedulerTimers, fired: queue.Queue[str]) -> None:
    timers.arm("old", soon(-86_400))
    assert fired.get(timeout=5) == "old"


def test_arming_again_replaces_and_disarming_forgets(
    timers: ApschedulerTimers, fired: queue.Queue[str]
) -> None:
    timers.arm("a", soon(0.05))
    timers.arm("a", soon(3600))
    timers.arm("b", soon(0.05))
    timers.disarm("b")
    timers.disarm("never armed")
    timers.arm("end", soon(0.2))
    assert fired.get(timeout=5) == "end"
    assert fired.empty()


def test_stopping_tolerates_never_started_and_twice() -> None:
    timers = ApschedulerTimers()
    timers.stop()
    timers.start(lambda key: None)
    timers.stop()
    timers.stop()


def test_stopping_while_a_key_fires_lets_it_end_in_peace() -> None:
    firing, go_on = threading.Event(), threading.Event()

    def fired(key: str) -> None:
        firing.set()
        go_on.wait(5)

    timers = ApschedulerTimers()
    timers.start(fired)
    timers.arm("a", soon(0))
    assert firing.wait(5)
    mourned: list[threading.ExceptHookArgs] = []
    before, threading.excepthook = threading.excepthook, mourned.append
    try:
        stopping = threading.Thread(target=timers.stop)
        stopping.start()
        stopping.join(0.2)  # as far as it comes
        go_on.set()
        stopping.join(5)
        wait_until(lambda: not any(one.name == "APScheduler" for one in threading.enumerate()))
    finally:
        threading.excepthook = before
    assert not mourned


@pytest.mark.parametrize("by", [timedelta(hours=1), timedelta(hours=-1)])
def test_after_a_step_of_the_wall_clock_and_a_rebuilding_what_is_due_by_it_fires(
    timers: ApschedulerTimers, fired: queue.Queue[str], monkeypatch: pytest.MonkeyPatch, by: timedelta
) -> None:
    wall = SteppedWall(monkeypatch)
    # it sleeps until this is due by the clock before the step
    timers.arm("sleeping", wall.now() + timedelta(hours=2))
    wall.step(by)
    timers.rebuild()
    timers.arm("due", wall.now() + timedelta(seconds=0.05))
    assert fired.get(timeout=5) == "due"
    wall.step(timedelta(hours=3))
    assert fired.empty()
    timers.rebuild()
    assert fired.get(timeout=5) == "sleeping"


class SteppedWall:
    """The wall clock by which APScheduler goes, ahead by as much as it was stepped."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self._ahead = timedelta()
        patch.setattr("apscheduler.schedulers.base.datetime", self)

    def now(self, zone: tzinfo = UTC) -> datetime:
        return datetime.now(zone) + self._ahead

    def step(self, by: timedelta) -> None:
        self._ahead += by
