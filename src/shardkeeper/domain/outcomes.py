"""How attempts end and what they say meanwhile: the words of outcome and progress (docs/architecture.md,
rules 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any

from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase, RunStatus
from shardkeeper.domain.value import value


@value(frozen=True, slots=True)
class ValueRow:
    key: str
    value: Any
    weight: float


@value(frozen=True, slots=True)
class Outcome:
    """How one attempt ended. Stored only when attempt, incarnation and ``claim_no`` are still the row's.

    ``status``: COMPLETED, FAILED, TIMED_OUT, STOPPED; or PENDING to give it back under the same number
    (drain, RetryLater, a claim not started), not before ``delay_s`` from now, with ``checkpoint`` kept.
    ``retry_after_s``: a next attempt after that many seconds, when the policy gives one; the store lets none
    through once ``max_attempts`` are used up or the run is to be stopped. ``compensable``: the task has a
    ``compensate``, called should the run fail for good, if ``phase`` is ``calculate`` or later.
    """

    key: AttemptKey
    claim_no: int
    status: AttemptStatus
    phase: Phase | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    initialize_ms: float | None = None
    calculate_ms: float | None = None
    validate_ms: float | None = None
    result: Any = None
    values: tuple[ValueRow, ...] = ()
    refused_values: tuple[ValueRow, ...] = ()
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    log: str | None = None
    code_version: str | None = None
    retry_after_s: float | None = None
    delay_s: float = 0.0
    compensable: bool = False


class Recording(StrEnum):
    RECORDED = "recorded"
    REPEATED = "repeated"
    """The same claim's outcome stood already: success."""
    SUPERSEDED = "superseded"
    """Another claim owns the attempt now, or it was closed without us: nothing was written."""
    REFUSED = "refused"
    """A value in it cannot be stored (``reason``): the caller records FAILED in its place."""


@value(frozen=True, slots=True)
class OutcomeAnswer:
    key: AttemptKey
    recording: Recording
    run_closed: RunStatus | None = None
    retried: bool = False
    reason: str | None = None


@value(frozen=True, slots=True)
class Progress:
    """What a running attempt says of itself; None leaves a column as it is.

    ``compensable`` counts with ``phase``, as in Outcome: it is to be said with each phase that begins, for the
    attempt may be lost before it says more."""

    key: AttemptKey
    claim_no: int
    phase: Phase | None = None
    started_at: datetime | None = None
    fraction: float | None = None
    message: str | None = None
    checkpoint: Mapping[str, Any] | None = None
    code_version: str | None = None
    compensable: bool = False
