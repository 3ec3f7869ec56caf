"""A lane on virtual time: the same habits as the lane with a thread, at drawn instants."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Generic, TypeVar

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.events import Event
from shardkeeper.memory.clock import VirtualClock
from shardkeeper.node.lanes import Work
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
        post: Callable[[Event], None],
        broken: Callable[[Exception], None],
    ) -> None:
        self._process = process
        self._world = world
        self.link = link
        self._rng = rng
        self._post = post
        self._broken = broken
        self._work: Work[A] | None = None
        self._waiting: list[A] = []
        self._busy = False
        self.sent_mono = 0.0
        """When the round under way set out, on the monotonic clock."""

    def serve(self, work: Work[A]) -> None:
        """Do ``work`` from now on."""
        self._work = work

    def put(self, action: A) -> None:
        """See node.lanes.Lane."""
        self._waiting.append(action)
        if not self._busy:
            self._busy = True
            self._process.call_later(0.0, self._send)

    def _send(self) -> None:
        assert self._work is not None, "a lane is given its work before it is used"
        actions = self._waiting[: self._work.most]
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
            events = self._work.run(actions)
        except StoreUnavailable as error:
            failure = error
            self._process.call_later(self.link.latency_s(), lambda: self._fail(actions, failure))
        except Killed:
            return
        except Exception as error:  # noqa: BLE001  a lane's rim, as in node.lanes
            self._broken(error)
        else:
            self._process.call_later(self.link.latency_s(), lambda: self._answer(events))

    def _answer(self, events: list[Event]) -> None:
        for event in events:
            self._post(event)
        self._next()

    def _fail(self, actions: list[A], error: StoreUnavailable) -> None:
        assert self._work is not None, "a lane is given its work before it is used"
        events, again_s = self._work.failed(actions, error)
        for event in events:
            self._post(event)
        if again_s is None:
            self._next()
        else:
            self._waiting[:0] = actions
            self._process.call_later(again_s, self._send)

    def _next(self) -> None:
        if self._waiting:
            self._send()
        else:
            self._busy = False
