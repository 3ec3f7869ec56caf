"""Duties: sweep, outbox and housekeeping, each due at its own pace, whichever node holds it (rule 14)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from shardkeeper.node.lanes import Lane


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a duty under this incarnation."""

    duty: str
    incarnation: str


@dataclass(frozen=True, slots=True)
class DutyDue:
    """It is time for a round; ``generation`` tells an older life's rounds apart."""

    duty: str
    generation: int


@dataclass(frozen=True, slots=True)
class Duty:
    """``period_s``: seconds between two rounds of this node, whether or not it turns out to hold the duty."""

    period_s: float
    lane: Lane[Round]


class DutyRoster:
    """``later`` puts an event on the agenda after so many seconds."""

    def __init__(self, duties: Mapping[str, Duty], later: Callable[[float, DutyDue], None]) -> None:
        self._duties = duties
        self._later = later
        self._incarnation: str | None = None
        self._generation = 0

    def enter(self, incarnation: str) -> None:
        """Take rounds under this incarnation from now on."""
        self._incarnation = incarnation
        self._generation += 1
        for name in self._duties:
            self._later(0.0, DutyDue(name, self._generation))

    def due(self, event: DutyDue) -> None:
        """Take one round, and set the next."""
        if event.generation != self._generation or self._incarnation is None:
            return
        duty = self._duties[event.duty]
        duty.lane.put(Round(event.duty, self._incarnation))
        self._later(duty.period_s, event)
