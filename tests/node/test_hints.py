"""Hints only wake: lost, doubled or by the thousand, what was written is read, and seldom."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, cast

import pytest

from shardkeeper.domain.planner.actions import ReadSpecs
from shardkeeper.domain.planner.events import Event, SpecsRead
from shardkeeper.domain.validation import Limits
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.lanes import Rim, ThreadLane
from shardkeeper.node.node import Letter, Node, Parts, PollSpecs
from shardkeeper.node.works.specs import SpecAction, SpecsWork
from shardkeeper.ports.specs import Hint
from tests.node.links import FailingLink, failing_story
from tests.waiting import wait_until

STORM = 10_000


class Bench:
    """A node of which nothing is real but the lane that reads specs."""

    def __init__(self) -> None:
        self.story, store, self.link = failing_story()
        self.posted: list[Event] = []
        self.later: list[tuple[float, Letter]] = []
        broken: list[Exception] = []
        rim: Rim[SpecAction] = Rim(
            self.posted.append, lambda _: None, lambda part, error: broken.append(error)
        )
        self.lane = ThreadLane("specs", SpecsWork(store, HistoryReader(Limits()), "n1", KnownSpecs()), rim)
        anything = cast("Any", None)
        parts = Parts(anything, cast("Any", self), anything, anything, anything, anything, anything, anything)
        self.node = Node(parts, lambda seconds, letter: self.later.append((seconds, letter)))

    def perform(self, actions: list[ReadSpecs]) -> None:
        """In the effects' place."""
        self.lane.put(*actions)

    def read(self) -> set[str]:
        """The jobs of which it was told."""
        return {name for event in self.posted if isinstance(event, SpecsRead) for name in event.jobs}

    def readings(self) -> int:
        return self.link.calls["load"] + self.link.calls["changes"]


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.lane.start()
    yield bench
    bench.lane.stop(10.0)


class SlowLink(FailingLink):
    """Its first call takes until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.under_way = threading.Event()
        self.go_on = threading.Event()

    def before(self, call: str) -> None:
        self.under_way.set()
        assert self.go_on.wait(10.0)
        super().before(call)


def test_ten_thousand_hints_while_one_is_followed_are_one_more_reading(bench: Bench) -> None:
    slow = SlowLink()
    bench.link = bench.story.world.specs.link = slow  # type: ignore[attr-defined]
    bench.node.handle(Hint("specs", frozenset({"job-0"}), frozenset()))
    assert slow.under_way.wait(10.0)
    for number in range(STORM):
        bench.node.handle(Hint("specs", frozenset({f"job-{number}"}), frozenset()))
    slow.go_on.set()
    wait_until(lambda: bench.readings() == 2, what="the second reading")
    bench.node.handle(Hint("specs", None, None))
    wait_until(lambda: bench.readings() == 3, what="a reading after all of them")


def test_a_hint_that_comes_twice_changes_nothing_the_second_time(bench: Bench) -> None:
    bench.story.job()
    hint = Hint("specs", frozenset({"job"}), frozenset())
    bench.node.handle(hint)
    wait_until(lambda: bench.read() == {"job"}, what="the job")
    bench.node.handle(hint)
    wait_until(lambda: bench.readings() == 2, what="the second reading")
    bench.lane.stop(10.0)
    assert len(bench.posted) == 1


def test_what_no_hint_told_is_read_by_the_slow_poll_which_comes_again(bench: Bench) -> None:
    bench.node.handle(PollSpecs())
    wait_until(lambda: bench.posted, what="the first reading")
    bench.story.job()
    ((seconds, letter),) = bench.later
    bench.node.handle(letter)
    wait_until(lambda: bench.read() == {"job"}, what="the job")
    assert seconds == Node.POLL_S <= 15.0
    assert [letter for _, letter in bench.later] == [PollSpecs()] * 2
