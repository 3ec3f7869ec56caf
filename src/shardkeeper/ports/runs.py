"""Runs and attempts: creation, claims, outcomes. Every method is one conditional, batched, autocommitted
call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Creation, Pending, RunHead
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording, ValueRow
from shardkeeper.domain.runs import AttemptKey

__all__ = [
    "WAITED_FOR_S",
    "Claimed",
    "CreateAnswer",
    "CreateRun",
    "Creation",
    "Outcome",
    "OutcomeAnswer",
    "Pending",
    "Progress",
    "Recording",
    "RunHead",
    "RunStore",
    "ValueRow",
]


WAITED_FOR_S = 0.05
"""Of fires that are no more ahead than this a creation waits for the last; it holds up whoever needs the same rows."""


class RunStore(Protocol):
    """Creations, outcomes and reports raise PartlyUnanswered where rows of some are locked: it has the answers of the
    others.
    """

    def create(self, incarnation: str, requests: Sequence[CreateRun]) -> list[CreateAnswer]:
        """At most one request per job in a batch. See CreateRun and Creation. Where fires are ahead by WAITED_FOR_S at
        the most, everything is done when the last of them is due, and nobody sees anything of it before; the store does
        as much as it can meanwhile."""

    def claim(self, incarnation: str, keys: Sequence[AttemptKey]) -> list[Claimed]:
        """PENDING → RUNNING under the caller, whose lease is locked and active; rows already RUNNING under
        it are returned too. What is missing from the answer was not to be had."""

    def pull(self, incarnation: str, most: int, not_jobs: Sequence[str]) -> list[Claimed]:
        """Attempts without an owner → RUNNING under the caller, whose lease is locked and active: at most ``most``, the
        best first by age and priority, none of ``not_jobs``. What others are pulling is passed over. After an unknown
        commit a reading of the lease tells what is held."""

    def pending(self, incarnation: str, limit: int) -> list[Pending]:
        """Claimable attempts that have an owner, longest waiting first, at most ``limit``, and the heads of the queues
        of what has none, where nobody pulled them for seconds; of each_node only the caller's node's, and
        those of nodes without an active lease (to be closed, when that lasts)."""

    def record(self, incarnation: str, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
        """In the order asked. A batch that times out or holds what cannot be stored is split until the
        culprit stands alone."""

    def progress(self, incarnation: str, reports: Sequence[Progress]) -> None:
        """Phase, progress and checkpoints of attempts still held under that claim; others are ignored."""

    def no_eligible_node(self, incarnation: str, keys: Sequence[AttemptKey], reason: str) -> None:
        """Close attempts still PENDING as FAILED "no eligible node": nobody could run them for too long."""
