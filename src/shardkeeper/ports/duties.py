"""Duties that any node may hold, one at a time: sweep, outbox, housekeeping. All are idempotent."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeAlias

from shardkeeper.domain.runs import RunStatus
from shardkeeper.ports.specs import ImplVersionRow, JobVersionRow, PauseRow

SWEEP, OUTBOX, HOUSEKEEPING = "sweep", "outbox", "housekeeping"
GLANCED = 10
"""Times as many jobs as a slice of the sweep may have are looked at for those that are to be in it."""


Glanced: TypeAlias = tuple[str, Sequence[int]]
"""A job with a share in the window, and its versions there and after, oldest first: by number, as a version never
changes."""

Choose: TypeAlias = Callable[[datetime, datetime, Sequence[Glanced]], Sequence[str]]
"""Of the jobs that come next those that are to be read, in their order; the window goes from the first instant
(exclusive) to the second. What is left out must have no fire in it."""


def everything(since: datetime, until: datetime, glanced: Sequence[Glanced]) -> list[str]:
    """The Choose that leaves nothing out."""
    return [name for name, _ in glanced]


@dataclass(frozen=True, slots=True)
class SweptJob:
    """One job with a share in the window: its versions (deletions as ``spec`` None) not marked invalid that
    are in force in it or came later (a job switched off since then has its fires skipped), its pauses, and the
    fire times that already have a run or lie in a MISSED or SKIPPED record."""

    job_name: str
    versions: tuple[JobVersionRow, ...]
    pauses: tuple[PauseRow, ...]
    existing: frozenset[datetime]


@dataclass(frozen=True, slots=True)
class SweepSlice:
    """Some jobs over the whole window ``window_from`` (exclusive) to ``window_until`` (inclusive).

    ``cursor`` and ``fingerprint`` go back with the decisions: applied only if neither the cursor nor any version, mark
    or pause of the jobs that were looked at for it, or of their ImplSpecs, has changed meanwhile. ``impls``: those the
    versions name, in force in the window. ``now``: the store's clock. ``last``: of the window."""

    window_from: datetime
    window_until: datetime
    cursor: str
    fingerprint: str
    jobs: tuple[SweptJob, ...]
    impls: tuple[ImplVersionRow, ...]
    now: datetime
    last: bool


@dataclass(frozen=True, slots=True)
class MisfireRun:
    """Insert a run of kind ``misfire`` (all attempts PENDING), queued behind the job's live run unless
    overlap is ``allow``."""

    job_name: str
    fire_time: datetime
    job_version: int
    impl_version: int
    sharding_total_count: int
    nodes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class RangeRecord:
    """Insert a MISSED or SKIPPED record over the fires from ``fire_time`` to ``fire_until``, ``count`` of
    them."""

    job_name: str
    job_version: int
    status: RunStatus
    fire_time: datetime
    fire_until: datetime
    count: int
    reason: str


class SweepStore(Protocol):
    def sweep_begin(self, incarnation: str, limit: int, choose: Choose = everything) -> SweepSlice | None:
        """Take or renew the duty and read the next slice; None: not ours, or nothing to sweep yet. A window is fixed
        when begun: from the watermark to now less the on-time window. Of the next jobs, GLANCED times ``limit``, the
        slice has those that ``choose`` says, and ends with the one of them that makes it full."""

    def sweep_apply(
        self, incarnation: str, done: SweepSlice, runs: Sequence[MisfireRun], records: Sequence[RangeRecord]
    ) -> bool:
        """Under the versions' advisory lock, exclusively: insert, move the cursor by compare-and-set, and
        the watermark when the slice was the last. A fire that has a run by now gets none and no record.
        False: something changed, begin again."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """One alert to send. ``event_key`` is unique; ``body`` has what the message is made of; ``tries`` so far
    failed."""

    alert_id: int
    event_key: str
    kind: str
    job_name: str | None
    channel: str | None
    body: Mapping[str, Any]
    created_at: datetime
    tries: int
    thread: str | None


class AlertStore(Protocol):
    def due_alerts(self, incarnation: str, limit: int) -> list[AlertRow]:
        """Take or renew the outbox duty and take due alerts for a minute; empty when not ours."""

    def alerts_sent(self, incarnation: str, alert_ids: Sequence[int], message_id: str | None) -> None:
        """They arrived, as one message ``message_id`` (recovery answers in its thread)."""

    def alerts_failed(
        self, incarnation: str, alert_ids: Sequence[int], retry_after_s: float | None, reason: str
    ) -> None:
        """Not sent: again after that time; None: never again by itself (health and doctor say so)."""

    def raise_alert(self, event_key: str, kind: str, body: Mapping[str, Any]) -> bool:
        """An alert that no run's outcome writes (listener lost, skew, declined...). False: the event key
        stands already."""


@dataclass(frozen=True, slots=True)
class Housekeeping:
    """What one pass did: for the log."""

    partitions_made: int
    partitions_dropped: int
    rows_moved: int
    rows_deleted: int


class HousekeepingStore(Protocol):
    def keep_house(self, incarnation: str, retention_s: float) -> Housekeeping | None:
        """Partitions ahead, rows out of DEFAULT, retention (never of open runs), dead leases, late alerts;
        None: not ours.

        ``retention_s`` is of jobs that have none of their own; one with a longer one may keep others' runs too."""
