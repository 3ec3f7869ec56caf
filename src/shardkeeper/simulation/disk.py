"""The journal as one process sees it: what it does once it is dead never reaches the disk."""

from __future__ import annotations

from collections.abc import Sequence

from shardkeeper.domain.outcomes import Outcome
from shardkeeper.ports.journal import OutcomeJournal
from shardkeeper.simulation.process import Killed, Process


class ProcessJournal:
    """``journal`` lies on the machine and outlives its processes."""

    def __init__(self, journal: OutcomeJournal, process: Process) -> None:
        self._journal = journal
        self._process = process

    def append(self, incarnation: str, outcomes: Sequence[Outcome]) -> None:
        self._live()
        self._journal.append(incarnation, outcomes)

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        self._live()
        self._journal.settled(outcomes)

    def unsettled(self) -> list[tuple[str, Outcome]]:
        self._live()
        return self._journal.unsettled()

    def _live(self) -> None:
        if not self._process.alive:
            raise Killed
