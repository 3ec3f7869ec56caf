"""Lanes: each talks to one port, one call at a time, and gathers what arrives meanwhile into the next.

So a batch is sent at once when nothing is under way, and grows by itself under load. A slow or absent server holds up
its own lane and nothing else; the loop never waits.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from shardkeeper.domain.errors import ShardkeeperError, StoreUnavailable
from shardkeeper.domain.planner.events import Event

A = TypeVar("A")
A_contra = TypeVar("A_contra", contravariant=True)


@dataclass(frozen=True, slots=True)
class Done(Generic[A]):
    """What came of one round of a lane. ``left`` is tried again after ``again_s`` seconds, before what came meanwhile.

    ``unanswered``: why a call was not answered, for people; what the planner must know of it is among ``events``.
    """

    events: Sequence[Event] = ()
    left: Sequence[A] = ()
    again_s: float = 0.0
    unanswered: str | None = None


class Work(Protocol[A]):
    """What a lane does with what was gathered."""

    most: int
    """The most actions in one round."""

    def run(self, actions: Sequence[A]) -> Done[A]:
        """Call the port; its answers, and what is left to try.

        Raises StoreUnavailable where nothing is tried again and the planner need not know.
        """


class Lane(Protocol[A_contra]):
    """Takes actions from the loop; their answers arrive as events."""

    def put(self, *actions: A_contra) -> None:
        """Never blocks."""


def done(work: Work[A], actions: Sequence[A]) -> Done[A]:
    """One round, as each kind of lane takes it."""
    try:
        return work.run(actions)
    except StoreUnavailable as error:
        return Done(unanswered=str(error))


@dataclass(frozen=True, slots=True)
class Rim(Generic[A]):
    """Whom a lane tells. ``post`` puts events into the node's mailbox; ``unanswered`` is told why a call was not
    answered, ``broken`` of a defect; ``dropped`` gets what was not done when the lane ends, also what is under way.
    """

    post: Callable[[Event], None]
    unanswered: Callable[[str], None]
    broken: Callable[[str, Exception], None]
    dropped: Callable[[Sequence[A]], None] | None = None


@dataclass(frozen=True, slots=True)
class Crowd:
    """A call costs the store as much as many of its rows do: when the last one had several actions, more are gathered
    for ``gather_s`` seconds before the next, and for ``long_s`` when it had ``many``. Where they come one by one, each
    goes at once; where ``enough`` of them wait already, they go at once, too, as more would gain nothing. To gather
    leaves the processors to what is late meanwhile."""

    gather_s: float = 0.002
    many: int = 32
    long_s: float = 0.01
    enough: int = 512


class ThreadLane(Generic[A]):
    """A lane with a thread of its own."""

    def __init__(self, name: str, work: Work[A], rim: Rim[A], crowd: Crowd | None = None) -> None:
        self._name = name
        self._work = work
        self._rim = rim
        self._crowd = crowd
        self._lately = 0
        self._waiting: list[A] = []
        self._under_way: list[A] = []
        self._changed = threading.Condition()
        self._stopping = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Idempotent."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, name=f"lane-{self._name}", daemon=True)
            self._thread.start()

    def put(self, *actions: A) -> None:
        """See Lane."""
        with self._changed:
            if not self._waiting:
                self._changed.notify()  # else it has been told already, or is not waiting for any
            self._waiting += actions

    def stop(self, timeout_s: float) -> None:
        """End after the call under way, or without its answer after ``timeout_s``; whatever is not known to be done is
        dropped. Tolerates never-started and twice.
        """
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout_s)
        with self._changed:
            dropped = [*self._under_way, *self._waiting]
            self._waiting.clear()
        if dropped and self._rim.dropped is not None:
            try:
                self._rim.dropped(dropped)
            except ShardkeeperError as error:
                self._rim.unanswered(str(error))

    def _serve(self) -> None:
        while (actions := self._gather()) is not None:
            try:
                answer = done(self._work, actions)
            except Exception as error:  # noqa: BLE001  a lane's rim: a defect ends the node loudly, never a lane silently
                self._rim.broken(self._name, error)
                return
            for event in answer.events:
                self._rim.post(event)
            if answer.unanswered is not None:
                self._rim.unanswered(answer.unanswered)
            self._again(answer)

    def _gather(self) -> list[A] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._stopping)
            crowd = self._crowd
            if crowd is not None and self._lately > 1 and len(self._waiting) < crowd.enough:
                gather_s = crowd.long_s if self._lately >= crowd.many else crowd.gather_s
                self._changed.wait_for(lambda: self._stopping, gather_s)
            if self._stopping:
                return None
            self._under_way = self._waiting[: self._work.most]
            del self._waiting[: self._work.most]
            self._lately = len(self._under_way)
            return self._under_way

    def _again(self, answer: Done[A]) -> None:
        """Put what is left back in front, and wait before the next try."""
        with self._changed:
            self._under_way = []
            if answer.left:
                self._waiting[:0] = answer.left
                self._changed.wait_for(lambda: self._stopping, answer.again_s)
