"""Workers in virtual time: what an attempt does and how long it takes is scripted, when it ends is the scheduler's.

The twin of ``workers/`` for the simulation and for tests of the node. Nothing here has a thread: events are given out
inside the calls and the scheduled functions. What has begun is in its second phase at once: what is stopped, or takes
too long, ends in that one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from shardkeeper.domain.runs import AttemptKey, Phase
from shardkeeper.ports.workers import (
    AttemptEnded,
    AttemptOrder,
    AttemptOwes,
    AttemptReturned,
    AttemptStarted,
    Ending,
    EndingStatus,
    EntrypointChecked,
    Isolation,
    Notify,
    WorkerEvent,
    WorkersChanged,
    WorkersSaid,
)

Behaviour = Callable[[AttemptOrder], tuple[float, Ending]]
"""How long the attempt takes in seconds (infinity: it hangs), and how it ends if left alone; of an order that
``compensates``, how that ends. Its ``compensable`` is what the class is, however it ends.
"""


class CallLater(Protocol):
    def __call__(self, delay_s: float, function: Callable[[], None], /) -> object:
        """Call ``function`` after ``delay_s`` seconds of virtual time; 0: as soon as the caller has returned."""


def completes(order: AttemptOrder) -> tuple[float, Ending]:
    """The behaviour of a task that does nothing, at once."""
    return 0.0, Ending(EndingStatus.COMPLETED, phase=Phase.VALIDATE)


@dataclass(slots=True)
class _Live:
    order: AttemptOrder
    started_at: datetime
    compensable: bool


_Identity = tuple[AttemptKey, int]


TAKEN_BACK = "taken back before it began"


class MemoryWorkers:
    """Keeps the port's promises; ``kill`` is the death of the node's process with its workers: no word afterwards."""

    def __init__(
        self,
        behaviour: Behaviour,
        call_later: CallLater,
        now: Callable[[], datetime],
        capacity: int = 4,
        problems: Callable[[str, str], str | None] = lambda entrypoint, kind: None,
    ) -> None:
        """``now``: the node's wall clock (aware, UTC). ``problems``: why (entrypoint, kind) cannot run, or None."""
        self._behaviour = behaviour
        self._call_later = call_later
        self._now = now
        self._capacity = capacity
        self._problems = problems
        self._notify: Notify | None = None
        self._queue: list[AttemptOrder] = []
        self._live: dict[_Identity, _Live] = {}
        self._closed = False
        self._dead = False

    @property
    def capacity(self) -> int:
        return self._capacity

    @property
    def live(self) -> tuple[AttemptOrder, ...]:
        """What runs now: for judges of "at most one live attempt"."""
        return () if self._dead else tuple(one.order for one in self._live.values())

    def start(self, notify: Notify) -> None:
        if self._notify is None:
            self._notify = notify
            self._emit(WorkersChanged(self._capacity, self._capacity, 0))

    def warm(self, isolation: Isolation) -> None:
        """Here a worker is there as soon as it is asked for."""

    def submit(self, *orders: AttemptOrder) -> None:
        if self._closed:
            self._emit(*(AttemptReturned(one.key, one.claim_no, "workers are closed") for one in orders))
            return
        self._queue += orders
        self._later(0.0, self._dispatch)

    def check(self, entrypoint: str, kind: str) -> None:
        answer = EntrypointChecked(entrypoint, kind, self._problems(entrypoint, kind))
        self._later(0.0, lambda: self._emit(answer))

    def stop(self, key: AttemptKey, claim_no: int, kill_after_s: float) -> None:
        for order in self._queue:
            if (order.key, order.claim_no) == (key, claim_no):
                self._queue.remove(order)
                self._emit(AttemptEnded(key, claim_no, _stopped("stopped before it began")))
                return
        live = self._live.get((key, claim_no))
        if live is not None:
            self._later(kill_after_s, lambda: self._end(live, _stopped("stopped")))

    def take_back(self, key: AttemptKey, claim_no: int) -> None:
        for order in self._queue:
            if (order.key, order.claim_no) == (key, claim_no):
                self._queue.remove(order)
                self._emit(AttemptReturned(key, claim_no, TAKEN_BACK))
                return

    def recycle(self) -> None:
        """Scripted tasks have no code to take up."""

    def resize(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._emit(WorkersChanged(self._capacity, self._capacity, 0))
        self._later(0.0, self._dispatch)

    def close(self, grace_s: float) -> None:
        """In virtual time nobody can wait here: the grace is the caller's to keep before it calls."""
        if self._closed:
            return
        self._closed = True
        queue, self._queue = self._queue, []
        for order in queue:
            self._emit(AttemptReturned(order.key, order.claim_no, "workers are closing"))
        for live in list(self._live.values()):
            self._end(live, _stopped("the node was closing"))

    def kill(self) -> None:
        """The node's process dies: its workers with it, silently."""
        self._dead = self._closed = True
        self._queue.clear()
        self._live.clear()

    def _dispatch(self) -> None:
        while self._queue and len(self._live) < self._capacity:
            self._begin(self._queue.pop(0))

    def _begin(self, order: AttemptOrder) -> None:
        problem = self._problems(order.entrypoint, order.kind)
        if problem is not None:
            declined = Ending(
                EndingStatus.FAILED, error_type="NotRunnableHere", error_message=problem, decline=True
            )
            self._emit(AttemptEnded(order.key, order.claim_no, declined))
            return
        duration_s, ending = self._behaviour(order)
        live = _Live(order, self._now(), ending.compensable)
        self._live[order.key, order.claim_no] = live
        phase = Phase.COMPENSATE if order.compensates else Phase.INITIALIZE
        self._emit(
            AttemptStarted(
                order.key, order.claim_no, live.started_at, ending.code_version, ending.compensable, phase
            )
        )
        if ending.compensable and not order.compensates:
            self._emit(AttemptOwes(order.key, order.claim_no))
        if order.timeout_s is not None and duration_s > order.timeout_s:
            duration_s, ending = order.timeout_s, _timed_out(order.timeout_s)
        if duration_s != float("inf"):
            self._later(duration_s, lambda: self._end(live, ending, duration_s))

    def _end(self, live: _Live, ending: Ending, lasted_s: float | None = None) -> None:
        identity = (live.order.key, live.order.claim_no)
        if self._live.get(identity) is not live:
            return
        del self._live[identity]
        # by the duration, not by a second look at the clock: a step of the wall clock moves no end before its start
        finished_at = self._now() if lasted_s is None else live.started_at + timedelta(seconds=lasted_s)
        ended = replace(
            ending,
            phase=ending.phase or (Phase.COMPENSATE if live.order.compensates else Phase.CALCULATE),
            started_at=live.started_at,
            finished_at=finished_at,
            compensable=live.compensable,
        )
        self._emit(AttemptEnded(*identity, ended))
        self._later(0.0, self._dispatch)

    def _later(self, delay_s: float, function: Callable[[], None]) -> None:
        self._call_later(delay_s, lambda: None if self._dead else function())

    def _emit(self, *events: WorkerEvent) -> None:
        if self._notify is not None and not self._dead:
            self._notify(WorkersSaid(events))


def _stopped(reason: str) -> Ending:
    return Ending(EndingStatus.STOPPED, error_message=reason)


def _timed_out(timeout_s: float) -> Ending:
    return Ending(
        EndingStatus.TIMED_OUT, error_type="TimedOut", error_message=f"took longer than {timeout_s:g} s"
    )
