"""What happened in the store, in the order in which it happened: the evidence that the simulation's
checkers judge."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

PULLED = "pulled"


class What(StrEnum):
    """The kinds of happenings. ``note`` of an entry says more where a kind needs it."""

    VERSION = "version"
    """A version was stamped: ``version``; ``note`` is "deleted" where it is the deletion."""
    IMPL_VERSION = "impl_version"
    """The same of an ImplSpec, whose name is in ``job_name``."""
    MARKED_INVALID = "marked_invalid"
    DECLINED = "declined"
    """A node (``note``) cannot run a version of the job."""
    WILLING = "willing"
    """It declines one version less."""
    PAUSED = "paused"
    RESUMED = "resumed"
    RUN_CREATED = "run_created"
    """``version`` is the pinned one; ``note`` is the trigger kind."""
    RUN_WAITING = "run_waiting"
    """It must wait for the job's live_run row."""
    LIVE = "live"
    """It holds the job's live_run row from now on."""
    SKIPPED = "skipped"
    NOT_FOLLOWED = "not_followed"
    """A follow-up that nothing could run is recorded as SKIPPED; ``note`` is why."""
    MISSED = "missed"
    """A record over ``fire_time`` to ``fire_until`` stands, ``fires`` of them."""
    RUN_CLOSED = "run_closed"
    """``note`` is the status."""
    STOP_ORDERED = "stop_ordered"
    PULL = "pull"
    """Up to ``fires`` attempts without an owner were asked for, of no job that ``note`` names (with blanks between)."""
    CLAIMED = "claimed"
    """``note`` is PULLED where the pull before brought it."""
    ENDED = "ended"
    """An outcome was recorded; ``note`` is the attempt's status."""
    SAVED = "saved"
    """``note`` is the checkpoint, as JSON."""
    GIVEN_BACK = "given_back"
    REPEATED = "repeated"
    SUPERSEDED = "superseded"
    """An outcome was refused since another claim owns the attempt, or it was closed without its sender."""
    RETRIED = "retried"
    """The next attempt (``attempt``) was inserted after one that ended badly."""
    COMPENSATING = "compensating"
    """An attempt (``attempt``) that rolls back was inserted, as the run failed for good."""
    LOST = "lost"
    REISSUED = "reissued"
    """The next attempt (``attempt``) was inserted after one that was lost."""
    CLOSED_PENDING = "closed_pending"
    """An attempt that nobody held was closed (stop, delete, no eligible node); ``note`` is its status."""
    JOINED = "joined"
    BEATEN = "beaten"
    """It raised its own beat, and read those of all others."""
    DRAINING = "draining"
    ACTIVE = "active"
    LEFT = "left"
    TAKEN_OVER = "taken_over"
    """``incarnation`` was marked dead; ``note`` is the taker."""
    SWEPT = "swept"
    """The watermark moved to ``fire_until``."""


class Entry(NamedTuple):
    """One happening. ``at`` is the store's clock; the other fields are set where they mean something."""

    at: datetime
    what: What
    job_name: str | None = None
    run_id: int | None = None
    fire_time: datetime | None = None
    item: int | None = None
    attempt: int | None = None
    claim_no: int | None = None
    incarnation: str | None = None
    version: int | None = None
    fire_until: datetime | None = None
    fires: int | None = None
    note: str | None = None
    not_before: datetime | None = None
    """Of an attempt."""


class History:
    """Append-only."""

    __slots__ = ("entries",)

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def add(self, entry: Entry) -> None:
        self.entries.append(entry)

    def of(self, *kinds: What) -> list[Entry]:
        """The entries of these kinds, in order."""
        return [entry for entry in self.entries if entry.what in kinds]
