"""Outcomes that PostgreSQL has not answered for yet, kept where a restart of the node finds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shardkeeper.ports.runs import Outcome


class OutcomeJournal(Protocol):
    """Identity is (attempt key, claim_no), under the incarnation that held them."""

    def append(self, incarnation: str, outcomes: Sequence[Outcome]) -> None:
        """Durable when it returns; those that lie there already are not written again. Raises JournalFull when the
        disk or the bound is reached; then none of them is kept."""

    def settled(self, outcomes: Sequence[Outcome]) -> None:
        """The store has answered for these: forget them."""

    def unsettled(self) -> list[tuple[str, Outcome]]:
        """(incarnation, outcome) in the order appended: to be replayed before the node rejoins. Damaged
        lines are told, not fatal."""
