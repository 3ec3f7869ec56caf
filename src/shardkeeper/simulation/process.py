"""Time as one process has it: frozen by SIGSTOP, over with SIGKILL."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from datetime import datetime

from shardkeeper.memory.clock import Call, VirtualClock


class Killed(BaseException):
    """The process died in the middle of a round of calls: nothing of it goes on."""


class Process(VirtualClock):
    """A view of the world's time. While it is paused, what is due for it waits, and happens in order on resume."""

    def __init__(self, world: VirtualClock) -> None:
        super().__init__()
        self._world = world
        self._backlog: deque[Call] = deque()
        self.alive = True
        self.paused = False

    def now(self) -> datetime:
        return self._world.now()

    def monotonic(self) -> float:
        return self._world.monotonic()

    def call_later(self, delay_s: float, todo: Callable[[], None]) -> Call:
        """As the world's, but for as long as the process lives, and not while it is paused."""
        call = Call(0, todo)
        call.at_us = self._world.call_later(delay_s, lambda: self._happen(call)).at_us
        return call

    def pause(self) -> None:
        """SIGSTOP."""
        self.paused = True

    def resume(self) -> None:
        """SIGCONT: the backlog first."""
        self.paused = False
        while self._backlog and self.alive and not self.paused:
            self._happen(self._backlog.popleft())

    def kill(self) -> None:
        """SIGKILL, or the end of the process."""
        self.alive = False
        self._backlog.clear()

    def _happen(self, call: Call) -> None:
        if not self.alive or call.todo is None:
            return
        if self.paused:
            self._backlog.append(call)
        else:
            call.todo()
