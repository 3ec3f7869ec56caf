"""The daemon's life: started in one order, stopped in the reverse, ended loudly by a defect."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shardkeeper.domain.planner.events import (
    CapacityChanged,
    DrainAsked,
    GraceOver,
    Started,
    TasksRenewed,
    TimerFired,
)
from shardkeeper.node.daemon import Daemon, Defect, Machinery
from shardkeeper.node.node import PollSpecs
from tests.waiting import wait_until

LANES = ("lane one", "lane two")


class Part:
    """Any part of the daemon: notes what is called, in the log that all share."""

    capacity = 4

    def __init__(self, name: str, log: list[str], failing: str | None = None) -> None:
        self._name = name
        self._log = log
        self._failing = failing
        self.given: list[Any] = []

    def __getattr__(self, called: str) -> Callable[..., None]:
        def note(*given: Any) -> None:
            self._log.append(f"{self._name} {called}")
            self.given.extend(given)
            if called == self._failing:
                raise OSError(f"{self._name} cannot {called}")

        return note


class Loop(Part):
    """In the loop's place: keeps what is posted."""

    def __init__(self, log: list[str]) -> None:
        super().__init__("loop", log)
        self.posted: list[Any] = []
        self.agenda: list[tuple[float, Any]] = []

    def post(self, letter: Any) -> None:
        self.posted.append(letter)

    def later(self, seconds: float, letter: Any) -> None:
        self.agenda.append((seconds, letter))


class Bench:
    """A daemon of parts that only note what is done to them. ``failing``: which part cannot start."""

    def __init__(self, failing: str = "") -> None:
        self.log: list[str] = []
        self.loop = Loop(self.log)
        self.service = Part("service", self.log)
        self.raised: list[BaseException] = []

        def part(name: str) -> Any:
            made = Part(name, self.log, "start" if name == failing else None)
            self.parts[name] = made
            return made

        self.parts: dict[str, Part] = {}
        loop: Any = self.loop
        service: Any = self.service
        machinery = Machinery(
            node=part("node"),
            loop=loop,
            workers=part("workers"),
            lanes=[part(name) for name in LANES],
            timers=part("timers"),
            listener=part("listener"),
            coordinator=part("coordinator"),
            coordination=part("coordination"),
            close_store=lambda: self.log.append("store close"),
        )
        self.daemon = Daemon(machinery, service, grace_s=12.0)
        self.thread = threading.Thread(target=self._live)

    def _live(self) -> None:
        try:
            self.daemon.run()
        except (Defect, OSError) as error:
            self.raised.append(error)

    def start(self) -> None:
        self.thread.start()
        wait_until(lambda: "service ready" in self.log or self.raised)

    def over(self) -> list[str]:
        self.thread.join(10.0)
        assert not self.thread.is_alive()
        return self.log


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    bench.start()
    yield bench
    bench.daemon.ended()
    bench.over()


STARTED = [
    "workers start",
    "lane one start",
    "lane two start",
    "timers start",
    "loop start",
    "listener start",
    "service ready",
]
STOPPED = [
    "listener stop",
    "coordination leave",
    "coordinator stop",
    "loop stop",
    "timers stop",
    "lane two stop",
    "lane one stop",
    "workers close",
    "store close",
]


def test_parts_start_in_their_order_and_stop_in_the_reverse(bench: Bench) -> None:
    assert bench.log == STARTED
    bench.daemon.ended()
    assert bench.over() == STARTED + STOPPED
    assert bench.raised == []


def test_the_first_letters_tell_of_the_workers_and_of_the_beginning(bench: Bench) -> None:
    assert bench.loop.posted == [CapacityChanged(4, fit=True), Started()]
    assert [type(letter) for _, letter in bench.loop.agenda] == [PollSpecs]


def test_what_workers_timers_and_listener_tell_goes_into_the_mailbox(bench: Bench) -> None:
    bench.loop.posted.clear()
    for name in ("workers", "listener"):
        bench.parts[name].given[0](name)
    bench.parts["timers"].given[0]("key")
    assert bench.loop.posted == ["workers", "listener", TimerFired("key")]


def test_asked_to_stop_once_it_drains_and_asked_again_it_gives_back(bench: Bench) -> None:
    bench.loop.posted.clear()
    bench.daemon.stop()
    assert bench.loop.posted == [DrainAsked(leave=True, grace_s=12.0)]
    assert bench.log[-1] == "service stopping"
    bench.daemon.stop()
    bench.daemon.stop()
    assert bench.loop.posted[1:] == [GraceOver(), GraceOver()]
    assert bench.log.count("service stopping") == 1
    assert bench.thread.is_alive()


def test_new_code_is_taken_up_by_new_workers_and_told(bench: Bench) -> None:
    bench.loop.posted.clear()
    bench.daemon.recycle()
    assert bench.log[-1] == "workers recycle"
    assert bench.loop.posted == [TasksRenewed()]


def test_a_broken_part_ends_the_daemon_with_a_defect_and_stops_the_others() -> None:
    bench = Bench()
    bench.start()
    cause = KeyError("wrong")
    bench.daemon.broken("runs", cause)
    assert bench.over() == STARTED + STOPPED
    (defect,) = bench.raised
    assert isinstance(defect, Defect)
    assert defect.__cause__ is cause


def test_what_no_trying_mends_ends_the_daemon_with_its_message() -> None:
    bench = Bench()
    bench.start()
    bench.daemon.fatal("wrong credentials")
    bench.over()
    (defect,) = bench.raised
    assert isinstance(defect, Defect)
    assert str(defect) == "wrong credentials"


@pytest.mark.parametrize("failing", ["workers", "lane two", "timers", "listener"])
def test_a_part_that_cannot_start_leaves_nothing_running(failing: str) -> None:
    bench = Bench(failing)
    bench.start()
    log = bench.over()
    started = log[: log.index(f"{failing} start") + 1]
    stopped = {line.split(" st")[0].split(" cl")[0] for line in log[len(started) :]}
    begun = {line.removesuffix(" start") for line in started}
    assert begun <= stopped
    assert "service ready" not in log
    assert [str(error) for error in bench.raised] == [f"{failing} cannot start"]
