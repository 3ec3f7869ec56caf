"""The twin in virtual time keeps the port's promises."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from shardkeeper.domain.runs import AttemptKey, Phase
from shardkeeper.memory.workers import MemoryWorkers
from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptOrder,
    AttemptReturned,
    AttemptStarted,
    Ending,
    EndingStatus,
    EntrypointChecked,
    WorkerEvent,
    Workers,
    WorkersChanged,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
DONE = Ending(EndingStatus.COMPLETED, result=1)


class World:
    """Virtual time and one node's workers; run_id is the duration in seconds, 0 hangs."""

    def __init__(self, capacity: int = 2) -> None:
        self.events: list[WorkerEvent] = []
        self._now_s = 0.0
        self._calls: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self.workers = MemoryWorkers(
            lambda order: (order.key.run_id or float("inf"), DONE),
            self._call_later,
            self.now,
            capacity,
            lambda entrypoint, kind: "not here" if entrypoint == "bad:Task" else None,
        )
        port: Workers = self.workers
        port.start(lambda said: self.events.extend(said.events))

    def now(self) -> datetime:
        return START + timedelta(seconds=self._now_s)

    def _call_later(self, delay_s: float, function: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._calls, (self._now_s + delay_s, self._count, function))

    def run(self, until_s: float = 1e9) -> None:
        while self._calls and self._calls[0][0] <= until_s:
            self._now_s, _, function = heapq.heappop(self._calls)
            function()
        self._now_s = until_s

    def submit(
        self, duration_s: int, timeout_s: float | None = None, entrypoint: str = "m:T", item: int = 0
    ) -> AttemptKey:
        key = AttemptKey(duration_s, START, item, 1)
        self.workers.submit(AttemptOrder(key, 1, "python", entrypoint, "process", {}, timeout_s))
        return key

    def ending(self, key: AttemptKey) -> Ending:
        (ending,) = (one.ending for one in self.events if isinstance(one, AttemptEnded) and one.key == key)
        return ending


def test_attempts_run_within_capacity_and_end_when_their_time_has_come() -> None:
    world = World(capacity=2)
    keys = [world.submit(10, item=item) for item in range(3)]
    world.run(until_s=5)
    assert [order.key for order in world.workers.live] == keys[:2]
    world.run()
    finished = [world.ending(key).finished_at for key in keys]
    assert finished == [START + timedelta(seconds=10)] * 2 + [START + timedelta(seconds=20)]
    assert world.ending(keys[0]).started_at == START
    assert world.workers.live == ()


def test_a_hang_times_out_and_an_attempt_can_be_stopped_running_or_waiting() -> None:
    world = World(capacity=1)
    hangs, waits = world.submit(0, timeout_s=30), world.submit(5)
    world.workers.stop(waits, 1, 0)
    assert (world.ending(waits).status, world.ending(waits).phase) == (EndingStatus.STOPPED, None)
    world.run()
    assert (world.ending(hangs).status, world.ending(hangs).phase) == (
        EndingStatus.TIMED_OUT,
        Phase.CALCULATE,
    )
    stopped = world.submit(0, item=1)
    world.run(until_s=2e9)
    for _ in range(2):
        world.workers.stop(stopped, 1, 3)
    world.run(until_s=3e9)
    assert (world.ending(stopped).status, world.ending(stopped).phase) == (
        EndingStatus.STOPPED,
        Phase.CALCULATE,
    )


def test_a_killed_node_says_nothing_more() -> None:
    world = World()
    world.submit(10)
    world.run(until_s=5)
    said = list(world.events)
    world.workers.kill()
    assert world.workers.live == ()
    world.run()
    world.submit(1)
    world.run(until_s=2e9)
    assert world.events == said


def test_close_returns_the_waiting_and_stops_the_running() -> None:
    world = World(capacity=1)
    running, waiting = world.submit(10), world.submit(11)
    world.run(until_s=5)
    world.workers.close(0)
    assert world.ending(running).status is EndingStatus.STOPPED
    late = world.submit(12)
    returned = [event.key for event in world.events if isinstance(event, AttemptReturned)]
    assert returned == [waiting, late]
    world.workers.close(0)


def test_what_is_not_runnable_here_is_declined_and_checked() -> None:
    world = World()
    key = world.submit(1, entrypoint="bad:Task")
    world.workers.check("bad:Task", "python")
    world.workers.check("m:T", "python")
    world.run()
    assert world.ending(key).decline
    assert not [event for event in world.events if isinstance(event, AttemptStarted)]
    checks = [event.problem for event in world.events if isinstance(event, EntrypointChecked)]
    assert checks == ["not here", None]


def test_resizing_lets_more_run() -> None:
    world = World(capacity=1)
    for item in range(3):
        world.submit(10, item=item)
    world.workers.resize(3)
    world.run(until_s=1)
    assert len(world.workers.live) == world.workers.capacity == 3
    assert [event.wanted for event in world.events if isinstance(event, WorkersChanged)] == [1, 3]


def test_what_has_not_begun_is_taken_back_and_what_has_goes_on() -> None:
    world = World(capacity=1)
    running, waiting = world.submit(10), world.submit(11)
    world.run(until_s=5)
    for key in (running, waiting, waiting):
        world.workers.take_back(key, 1)
    world.run()
    assert [event.key for event in world.events if isinstance(event, AttemptReturned)] == [waiting]
    assert world.ending(running).status is EndingStatus.COMPLETED


def test_a_compensation_begins_in_its_phase_and_a_class_stays_compensable_however_it_ends() -> None:
    world = World()
    undoable = Ending(EndingStatus.COMPLETED, compensable=True)
    world.workers = MemoryWorkers(lambda order: (60.0, undoable), world._call_later, world.now)
    world.workers.start(lambda said: world.events.extend(said.events))
    keys = [AttemptKey(1, START, item, 1) for item in range(3)]
    orders = [
        AttemptOrder(keys[0], 1, "python", "m:T", "process", {}, compensates=True),
        AttemptOrder(keys[1], 1, "python", "m:T", "process", {}, timeout_s=1.0),
        AttemptOrder(keys[2], 1, "python", "m:T", "process", {}),
    ]
    for order in orders:
        world.workers.submit(order)
    world.run(until_s=5.0)
    world.workers.stop(keys[2], 1, 0.0)
    world.run()
    phases = [event.phase for event in world.events if isinstance(event, AttemptStarted)]
    assert phases == [Phase.COMPENSATE, Phase.INITIALIZE, Phase.INITIALIZE]
    assert [world.ending(key).compensable for key in keys] == [True] * 3
