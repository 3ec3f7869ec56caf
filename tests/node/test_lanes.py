"""Lanes: one call at a time, what arrives meanwhile gathered into the next, nothing lost and nothing out of order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from shardkeeper.domain.errors import JournalFull, StoreUnavailable
from shardkeeper.domain.planner.events import Event, StoreAway
from shardkeeper.node.lanes import Crowd, Done, Rim, ThreadLane
from tests.waiting import wait_until

PATIENCE_S = 10.0


class Port:
    """A Work that tells what it was given, and waits for the test to say what comes of it."""

    def __init__(self, most: int = 100) -> None:
        self.most = most
        self.given: SimpleQueue[list[str]] = SimpleQueue()
        self.answers: SimpleQueue[Done[str] | Exception] = SimpleQueue()

    def run(self, actions: Sequence[str]) -> Done[str]:
        self.given.put(list(actions))
        answer = self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer

    def next(self) -> list[str]:
        """What the call under way was given."""
        return self.given.get(timeout=PATIENCE_S)


class Bench:
    def __init__(
        self,
        most: int = 100,
        dropped: Callable[[Sequence[str]], None] | None = None,
        crowd: Crowd | None = None,
    ) -> None:
        self.port = Port(most)
        self.posted: list[Event] = []
        self.unanswered: list[str] = []
        self.broken: list[tuple[str, Exception]] = []
        rim: Rim[str] = Rim(
            self.posted.append,
            self.unanswered.append,
            lambda part, error: self.broken.append((part, error)),
            dropped,
        )
        self.lane = ThreadLane("test", self.port, rim, crowd)

    def end(self) -> None:
        for _ in range(5):
            self.port.answers.put(Done())
        self.lane.stop(PATIENCE_S)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.lane.start()
    yield bench
    bench.end()


def fill(bench: Bench, *actions: str) -> None:
    for action in actions:
        bench.lane.put(action)


def test_what_arrives_while_nothing_is_under_way_is_sent_at_once(bench: Bench) -> None:
    fill(bench, "a")
    assert bench.port.next() == ["a"]


def test_what_arrives_while_a_call_is_under_way_is_gathered_into_the_next(bench: Bench) -> None:
    fill(bench, "a")
    assert bench.port.next() == ["a"]
    fill(bench, "b", "c", "d")
    assert bench.port.given.empty()
    bench.port.answers.put(Done())
    assert bench.port.next() == ["b", "c", "d"]


def in_a_crowd(gather_s: float, long_s: float, enough: int = 100) -> Bench:
    """A lane that gathers, whose last call had two actions."""
    bench = Bench(crowd=Crowd(gather_s, many=3, long_s=long_s, enough=enough))
    fill(bench, "a", "b")
    bench.lane.start()
    assert bench.port.next() == ["a", "b"]
    return bench


def test_after_a_call_with_several_more_are_gathered_before_the_next() -> None:
    bench = in_a_crowd(gather_s=0.5, long_s=PATIENCE_S)
    fill(bench, "c")
    bench.port.answers.put(Done())
    fill(bench, "d")
    assert bench.port.next() == ["c", "d"]
    bench.end()


def test_after_a_call_with_many_they_are_gathered_for_longer() -> None:
    bench = in_a_crowd(gather_s=0.0, long_s=PATIENCE_S)
    fill(bench, "c", "d", "e")
    bench.port.answers.put(Done())
    assert bench.port.next() == ["c", "d", "e"]
    fill(bench, "f")
    bench.port.answers.put(Done())
    with pytest.raises(Empty):
        bench.port.given.get(timeout=0.3)
    bench.end()


def test_where_enough_wait_already_no_more_are_gathered() -> None:
    bench = in_a_crowd(gather_s=2 * PATIENCE_S, long_s=2 * PATIENCE_S, enough=2)
    fill(bench, "c", "d")
    bench.port.answers.put(Done())
    assert bench.port.next() == ["c", "d"]
    bench.end()


def test_what_comes_one_by_one_is_not_waited_for() -> None:
    bench = Bench(crowd=Crowd(gather_s=PATIENCE_S, many=3, long_s=PATIENCE_S))
    bench.lane.start()
    for action in ("a", "b", "c"):
        fill(bench, action)
        bench.port.answers.put(Done())
        assert bench.port.given.get(timeout=PATIENCE_S / 2) == [action]
    bench.end()


def test_no_call_has_more_than_the_work_takes() -> None:
    bench = Bench(most=2)
    fill(bench, "a", "b", "c")
    bench.lane.start()
    assert bench.port.next() == ["a", "b"]
    bench.port.answers.put(Done())
    assert bench.port.next() == ["c"]
    bench.end()


def test_answers_are_posted_in_their_order(bench: Bench) -> None:
    first, second = StoreAway("first"), StoreAway("second")
    fill(bench, "a")
    bench.port.answers.put(Done([first, second]))
    wait_until(lambda: len(bench.posted) == 2)
    assert bench.posted == [first, second]


def test_what_is_left_is_tried_again_before_what_came_meanwhile(bench: Bench) -> None:
    fill(bench, "a")
    assert bench.port.next() == ["a"]
    fill(bench, "b")
    bench.port.answers.put(Done(left=["a"], again_s=0.0, unanswered="away"))
    assert bench.port.next() == ["a", "b"]
    assert bench.unanswered == ["away"]


def test_the_answers_to_a_call_do_not_wait_for_the_next_try(bench: Bench) -> None:
    fill(bench, "a")
    bench.port.answers.put(Done([StoreAway("away")], left=["a"], again_s=3600.0))
    wait_until(lambda: bench.posted)
    assert bench.posted == [StoreAway("away")]


def test_a_lane_that_waits_for_the_next_try_can_be_stopped(bench: Bench) -> None:
    fill(bench, "a")
    bench.port.answers.put(Done([StoreAway("away")], left=["a"], again_s=3600.0))
    wait_until(lambda: bench.posted)
    bench.lane.stop(PATIENCE_S)
    assert not any(thread.name == "lane-test" for thread in threading.enumerate())


def test_what_nobody_tries_again_is_told_and_the_lane_goes_on(bench: Bench) -> None:
    fill(bench, "a")
    bench.port.answers.put(StoreUnavailable("no answer"))
    wait_until(lambda: bench.unanswered)
    fill(bench, "b")
    assert bench.port.next() == ["a"]
    assert bench.port.next() == ["b"]
    assert bench.unanswered == ["no answer"]
    assert bench.broken == []


def test_a_defect_ends_the_daemon_loudly_and_the_lane_with_it(bench: Bench) -> None:
    defect = KeyError("a defect")
    fill(bench, "a", "b")
    bench.port.answers.put(defect)
    wait_until(lambda: bench.broken)
    assert bench.broken == [("test", defect)]
    assert bench.unanswered == []


def test_a_slow_call_holds_up_its_own_lane_and_nobody_who_puts(bench: Bench) -> None:
    fill(bench, "slow")
    assert bench.port.next() == ["slow"]
    other = Bench()
    other.lane.start()
    fill(other, "quick")
    assert other.port.next() == ["quick"]
    fill(bench, *map(str, range(10_000)))
    assert bench.port.given.empty()
    other.end()


def test_stopping_ends_after_the_call_under_way_and_drops_the_rest() -> None:
    dropped: list[str] = []
    bench = Bench(dropped=dropped.extend)
    bench.lane.start()
    fill(bench, "a")
    assert bench.port.next() == ["a"]
    fill(bench, "b")
    bench.port.answers.put(Done([StoreAway("answered")]))
    assert bench.port.next() == ["b"]
    fill(bench, "c")
    bench.lane.stop(0.0)
    assert dropped == ["b", "c"]
    bench.port.answers.put(Done())
    bench.lane.stop(PATIENCE_S)
    assert bench.port.given.empty()


def test_what_is_known_to_be_done_is_not_dropped() -> None:
    dropped: list[str] = []
    bench = Bench(dropped=dropped.extend)
    bench.lane.start()
    fill(bench, "a")
    bench.port.answers.put(Done([StoreAway("answered")]))
    wait_until(lambda: bench.posted)
    bench.lane.stop(PATIENCE_S)
    assert dropped == []


def test_what_cannot_even_be_kept_is_told() -> None:
    def full(actions: Sequence[str]) -> None:
        raise JournalFull

    bench = Bench(dropped=full)
    fill(bench, "a")
    bench.lane.stop(0.0)
    assert "full" in bench.unanswered[0]


def test_starting_and_stopping_twice_or_never_is_no_harm(bench: Bench) -> None:
    bench.lane.start()
    assert sum(thread.name == "lane-test" for thread in threading.enumerate()) == 1
    bench.lane.stop(PATIENCE_S)
    bench.lane.stop(PATIENCE_S)
    never: Any = Bench().lane
    never.stop(0.0)
