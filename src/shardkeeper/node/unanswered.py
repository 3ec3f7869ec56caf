"""Telling of calls that were not answered, without telling each of them: an outage fails many in a second."""

from __future__ import annotations

from collections.abc import Callable

from shardkeeper.domain.facts import CallUnanswered

PAUSE_S = 10.0


class Unanswered:
    """Tells of one lane's calls: at once, then when the reason is another, or each ten seconds."""

    def __init__(self, lane: str, monotonic: Callable[[], float], tell: Callable[[object], None]) -> None:
        self._lane = lane
        self._monotonic = monotonic
        self._tell = tell
        self._told: tuple[str, float] | None = None

    def __call__(self, reason: str) -> None:
        """One more call was not answered, for this reason."""
        now = self._monotonic()
        if self._told is not None and self._told[0] == reason and now - self._told[1] < PAUSE_S:
            return
        self._told = (reason, now)
        self._tell(CallUnanswered(self._lane, reason))
