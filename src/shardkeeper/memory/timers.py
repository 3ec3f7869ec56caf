"""Timers on virtual time, with the habit of real ones: they wait in elapsed time, and so sleep through a
step of the wall."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from shardkeeper.memory.clock import Call, NodeClock


class MemoryTimers:
    """The timers of one node, on that node's own clock."""

    def __init__(self, clock: NodeClock) -> None:
        self._clock = clock
        self._fired: Callable[[str], None] | None = None
        self._armed: dict[str, datetime] = {}
        self._calls: dict[str, Call] = {}

    def start(self, fired: Callable[[str], None]) -> None:
        if self._fired is None:
            self._fired = fired
            self.rebuild()

    def arm(self, key: str, at: datetime) -> None:
        self.disarm(key)
        self._armed[key] = at
        if self._fired is not None:
            self._wait(key)

    def disarm(self, key: str) -> None:
        self._armed.pop(key, None)
        self._forget_call(key)

    def rebuild(self) -> None:
        for key in list(self._armed):
            self._forget_call(key)
            self._wait(key)

    def stop(self) -> None:
        self._fired = None
        for key in list(self._calls):
            self._forget_call(key)

    def _wait(self, key: str) -> None:
        wait_s = (self._armed[key] - self._clock.now()) / timedelta(seconds=1)
        self._calls[key] = self._clock.world.call_later(wait_s, lambda: self._due(key))

    def _due(self, key: str) -> None:
        del self._calls[key]
        if self._armed[key] > self._clock.now():  # the wall was stepped back meanwhile
            self._wait(key)
            return
        del self._armed[key]
        if self._fired is not None:
            self._fired(key)

    def _forget_call(self, key: str) -> None:
        call = self._calls.pop(key, None)
        if call is not None:
            call.cancel()
