"""The OutcomeJournal in memory: it outlives a restart of the simulated node that holds it."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.errors import JournalFull
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.runs import AttemptKey


class MemoryJournal:
    """See ``ports.journal.OutcomeJournal``. ``limit``: how many unsettled outcomes it takes before it is full."""

    def __init__(self, limit: int = 100_000) -> None:
        self.limit = limit
        self._unsettled: dict[tuple[AttemptKey, int], tuple[str, Outcome]] = {}

    def append(self, incarnation: str, outcomes: Sequence[Outcome]) -> None:
        fresh = [one for one in outcomes if (one.key, one.claim_no) not in self._unsettled]
        if len(self._unsettled) + len(fresh) > self.limit:
            raise JournalFull
        for outcome in fresh:
            self._unsettled[outcome.key, outcome.claim_no] = (incarnation, outcome)

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        for outcome in outcomes:
            self._unsettled.pop((outcome.key, outcome.claim_no), None)

    def unsettled(self) -> list[tuple[str, Outcome]]:
        return list(self._unsettled.values())
