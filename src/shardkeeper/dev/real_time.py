"""Real time for the in-memory coordinator of a lone node."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Final

from shardkeeper.node.agenda import Agenda

_LONGEST_WAIT_S: Final = 3600.0


class ThreadScheduler:
    """Calls what was asked for when it is due, one after the other, in a thread of its own; see
    memory.ensemble.Scheduler."""

    def __init__(self) -> None:
        self._agenda: Agenda[Callable[[], None]] = Agenda()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="coordinator", daemon=True)
        self._thread.start()

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        """As the protocol says."""
        with self._changed:
            self._agenda.put(monotonic() + delay_s, call)
            self._changed.notify()

    def monotonic(self) -> float:
        """As the protocol says."""
        return monotonic()

    def _run(self) -> None:
        while True:
            self._next()()

    def _next(self) -> Callable[[], None]:
        with self._changed:
            while True:
                call = self._agenda.due(monotonic())
                if call is not None:
                    return call
                self._changed.wait(self._agenda.wait_s(monotonic(), _LONGEST_WAIT_S))
