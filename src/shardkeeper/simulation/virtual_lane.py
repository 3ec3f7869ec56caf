"""A lane on virtual time: the same habits as the lane with a thread, at drawn instants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Generic, TypeVar

from shardkeeper.memory.clock import VirtualClock
from shardkeeper.node.lanes import Done, Rim, Work, done
from shardkeeper.simulation.process import Killed, Process
from shardkeeper.simulation.wire import LaneLink

A = TypeVar("A")


class VirtualLane(Generic[A]):
    """One round at a time: what is put meanwhile is gathered for the next.

    A round sets out, is done by the store some time later, and is answered some time after that. A process that is
    killed or paused on the way may still have it done.
    """

    def __init__(
        self,
        process: Process,
        world: VirtualClock,
        link: LaneLink,
        rng: Random,
        rim: Rim[A],
    ) -> None:
        self._process = process
        self._world = world
        self.link = link
        self._rng = rng
        self._rim = rim
        self._work: Work[A] | None = None
        self._dropped: Callable[[Sequence[A]], None] | None = None
        self._waiting: list[A] = []
        self._under_way: list[A] = []
        self._busy = False
        self.sent_mono = 0.0
        """When the round under way set out, on the monotonic clock."""

    def serve(self, work: Work[A], dropped: Callable[[Sequence[A]], None] | None = None) -> None:
        """Do ``work`` from now on; ``dropped`` gets what was not done when the process ends by itself."""
        self._work = work
        self._dropped = dropped

    def put(self, *actions: A) -> None:
        """See node.lanes.Lane."""
        self._waiting += actions
        if not self._busy:
            self._busy = True
            self._process.call_later(0.0, self._send)

    def stop(self) -> None:
        """The process ends by itself: what is not known to be done is dropped."""
        dropped = [*self._under_way, *self._waiting]
        if dropped and self._dropped is not None:
            self._dropped(dropped)

    def _send(self) -> None:
        assert self._work is not None, "a lane is given its work before it is used"
        actions = self._under_way = self._waiting[: self._work.most]
        del self._waiting[: self._work.most]
        self.sent_mono = self._process.monotonic()
        self.link.send()
        self._world.call_later(self.link.latency_s(), lambda: self._do(actions))

    def _do(self, actions: list[A]) -> None:
        """At the store; not held up by a pause of the process."""
        assert self._work is not None, "a lane is given its work before it is used"
        if not self._process.alive and self._rng.random() < 0.5:
            return
        try:
            answer = done(self._work, actions)
        except Killed:
            return
        except Exception as error:  # noqa: BLE001  a lane's rim, as in node.lanes
            self._rim.broken("lane", error)
        else:
            self._process.call_later(self.link.latency_s(), lambda: self._answer(answer))

    def _answer(self, answer: Done[A]) -> None:
        for event in answer.events:
            self._rim.post(event)
        if answer.unanswered is not None:
            self._rim.unanswered(answer.unanswered)
        self._under_way = []
        if answer.left:
            self._waiting[:0] = answer.left
            self._process.call_later(answer.again_s, self._send)
        elif self._waiting:
            self._send()
        else:
            self._busy = False
