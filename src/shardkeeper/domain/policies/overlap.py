"""What a new run does about an older run of its job that is still live. Decided once, when the run is created."""

from __future__ import annotations

from enum import StrEnum

from shardkeeper.domain.runs import TriggerKind
from shardkeeper.domain.specs import Overlap


class Entry(StrEnum):
    """How a new run enters."""

    RUN = "run"
    """At once."""
    SKIP = "skip"
    """Not at all: it becomes SKIPPED and gets no attempts."""
    WAIT = "wait"
    """When the live run has ended, oldest first; until then it is CREATED and its attempts cannot be claimed."""
    REPLACE = "replace"
    """As WAIT, and the live run is stopped."""


_QUEUEING_KINDS = frozenset({TriggerKind.MISFIRE, TriggerKind.BACKFILL})
_BUSY = {Overlap.SKIP: Entry.SKIP, Overlap.QUEUE: Entry.WAIT, Overlap.REPLACE: Entry.REPLACE}


def takes_turn(kind: TriggerKind, policy: Overlap) -> bool:
    """Whether runs of this kind compete for the job's one live place at all.

    Jobs with ``allow`` have no such place; what people and programs start themselves neither takes it nor waits.
    """
    return policy is not Overlap.ALLOW and (kind is TriggerKind.SCHEDULE or kind in _QUEUEING_KINDS)


def entry(kind: TriggerKind, policy: Overlap, place_taken: bool) -> Entry:
    """How a run of ``kind`` enters; ``place_taken``: another run of the job has the live place.

    The policy decides for scheduled fires; what makes up for missed ones (misfire, backfill) always queues, since
    it was asked for by another policy.
    """
    if not place_taken or not takes_turn(kind, policy):
        return Entry.RUN
    return Entry.WAIT if kind in _QUEUEING_KINDS else _BUSY[policy]
