"""Time as an input: nothing in the engine reads a clock by itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The wall clock: aware, UTC. It may step; never use it to measure how long something took."""

    def monotonic(self) -> float:
        """Seconds that only grow, from an arbitrary start."""


class Timers(Protocol):
    """Wakes the node up at instants of the wall clock; calls ``fired(key)`` from any thread."""

    def start(self, fired: Callable[[str], None]) -> None:
        """Begin to serve; idempotent."""

    def arm(self, key: str, at: datetime) -> None:
        """Fire once at ``at`` (at once when it is past), in place of whatever the key was armed for."""

    def disarm(self, key: str) -> None:
        """Forget the key; unknown keys are fine."""

    def rebuild(self) -> None:
        """Compute every wait anew: the wall clock was stepped."""

    def stop(self) -> None:
        """End; tolerates never-started and twice."""
