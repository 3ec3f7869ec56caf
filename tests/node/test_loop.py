"""The one loop: letters one at a time, the agenda in between, the watchdog always."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

from shardkeeper.domain.planner.events import ClockStepped
from shardkeeper.memory.clock import NodeClock, VirtualClock
from shardkeeper.node.loop import Loop
from shardkeeper.node.node import Letter, Node
from tests.waiting import wait_until


class Reader:
    """In the node's place: keeps what it is handed, and calls what can be called, in the loop's thread."""

    def __init__(self) -> None:
        self.read: list[Any] = []
        self.threads: set[str] = set()

    def handle(self, letter: Any) -> None:
        self.threads.add(threading.current_thread().name)
        self.read.append(letter)
        if callable(letter):
            letter()

    @property
    def words(self) -> list[str]:
        return [one for one in self.read if isinstance(one, str)]


class Desk:
    """A loop with its reader; letters are words, or functions to be called in its thread."""

    def __init__(self) -> None:
        self.world = VirtualClock()
        self.clock = NodeClock(self.world)
        self.pings = threading.Semaphore(0)
        self.broken: list[tuple[str, Exception]] = []
        self.reader = Reader()
        self.loop = Loop(self.clock, self.pings.release, lambda part, e: self.broken.append((part, e)))

    def post(self, *letters: str | Callable[[], object]) -> None:
        for letter in letters:
            self.loop.post(cast("Letter", letter))

    def later(self, seconds: float, letter: str | Callable[[], object]) -> None:
        self.loop.later(seconds, cast("Letter", letter))

    def start(self) -> None:
        self.loop.start(cast("Node", self.reader))

    def until(self, word: str) -> list[str]:
        wait_until(lambda: word in self.reader.words, what=f"{word} in {self.reader.words}")
        return self.reader.words


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    yield desk
    desk.loop.stop(5.0)


def test_letters_are_read_in_their_order_by_one_thread_whoever_posts(desk: Desk) -> None:
    desk.start()
    desk.post("a", "b")
    poster = threading.Thread(target=lambda: desk.post("c"))
    poster.start()
    poster.join()
    desk.post("last")
    assert desk.until("last") == ["a", "b", "c", "last"]
    assert desk.reader.threads == {"loop"}


def test_what_is_due_comes_by_its_instant_and_what_is_not_waits(desk: Desk) -> None:
    desk.later(2.0, "second")
    desk.later(1.0, "first")
    desk.later(3.0, "third")
    desk.start()
    desk.post("now", lambda: desk.world.advance(2.0), "after")
    assert desk.until("second") == ["now", "after", "first", "second"]


def test_an_instant_of_the_monotonic_clock_is_kept_too(desk: Desk) -> None:
    desk.world.advance(100.0)
    desk.loop.at(101.0, cast("Letter", "then"))
    desk.start()
    desk.post("now", lambda: desk.world.advance(1.0))
    assert desk.until("then") == ["now", "then"]


def test_letters_are_read_between_two_of_the_agenda(desk: Desk) -> None:
    desk.later(0.0, "due first")
    desk.later(0.0, "due second")
    desk.post("posted")
    desk.start()
    assert desk.until("due second") == ["due first", "posted", "due second"]


def test_what_is_due_again_at_once_keeps_neither_the_watchdog_nor_the_mailbox_waiting(desk: Desk) -> None:
    pieces: list[int] = []

    def piece() -> None:
        desk.post(f"letter {len(pieces)}")
        pieces.append(len(pieces))
        if "letter 40" not in desk.reader.words:
            desk.later(0.0, piece)

    desk.later(0.0, piece)
    desk.start()
    desk.until("letter 40")
    assert all(desk.pings.acquire(blocking=False) for _ in range(40))


def test_a_step_of_the_wall_clock_is_told_between_two_that_are_due(desk: Desk) -> None:
    desk.later(0.0, lambda: desk.clock.step(3600.0))
    desk.later(0.0, "next")
    desk.start()
    desk.until("next")
    told = [one for one in desk.reader.read if one == "next" or isinstance(one, ClockStepped)]
    assert isinstance(told[0], ClockStepped)


def test_a_mailbox_that_never_empties_does_not_keep_the_agenda_waiting(desk: Desk) -> None:
    overdue = threading.Event()

    def again() -> None:
        if not overdue.is_set():
            desk.post(again)

    desk.post(lambda: desk.later(0.0, overdue.set), again)
    desk.start()
    assert overdue.wait(10.0)


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_a_step_of_the_wall_clock_is_told_once_and_before_what_comes_next(desk: Desk, by_s: float) -> None:
    desk.start()
    desk.post(lambda: desk.clock.step(by_s))
    wait_until(lambda: any(isinstance(one, ClockStepped) for one in desk.reader.read))
    desk.post("next", "last")
    desk.until("last")
    steps = [one for one in desk.reader.read if isinstance(one, ClockStepped)]
    assert len(steps) == 1
    assert steps[0].by_s == pytest.approx(by_s)


def test_time_that_passes_and_a_drift_are_no_steps(desk: Desk) -> None:
    desk.start()
    for _ in range(5):
        desk.post(lambda: desk.world.advance(3600.0), lambda: desk.clock.step(0.1))
    desk.post("last")
    desk.until("last")
    assert not any(isinstance(one, ClockStepped) for one in desk.reader.read)


def test_the_watchdog_is_told_although_nothing_happens(desk: Desk) -> None:
    desk.start()
    for _ in range(3):
        assert desk.pings.acquire(timeout=10.0)
    assert desk.reader.read == []


def test_a_defect_ends_the_loop_loudly(desk: Desk) -> None:
    wrong = ZeroDivisionError("a defect")

    def fail() -> None:
        raise wrong

    desk.start()
    desk.post(fail, "never read")
    wait_until(lambda: desk.broken)
    assert desk.broken == [("loop", wrong)]
    desk.loop.stop(5.0)
    assert desk.reader.words == []


def test_it_ends_after_the_letter_in_hand(desk: Desk) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def long() -> None:
        begun.set()
        go_on.wait(10.0)
        desk.reader.read.append("ended")

    desk.start()
    desk.post(long)
    assert begun.wait(10.0)
    desk.loop.stop(0.0)
    go_on.set()
    desk.loop.stop(5.0)
    assert desk.reader.words == ["ended"]
    assert not any(thread.name == "loop" for thread in threading.enumerate())


def test_starting_twice_is_starting_once(desk: Desk) -> None:
    desk.start()
    desk.start()
    assert sum(thread.name == "loop" for thread in threading.enumerate()) == 1


def test_it_may_be_stopped_never_started_twice_and_by_itself(desk: Desk) -> None:
    desk.loop.stop(1.0)
    desk.loop.stop(1.0)
    other = Desk()
    stopped = threading.Event()

    def stop() -> None:
        other.loop.stop(5.0)
        stopped.set()

    other.start()
    other.post(stop)
    assert stopped.wait(10.0)
    other.loop.stop(5.0)
    assert other.broken == []
