"""The rows of the store in memory. They are changed in place and never leave this package: answers are
made of ports' values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from shardkeeper.domain.leases import LeaseState, Registration
from shardkeeper.domain.outcomes import ValueRow
from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase, RunStatus, TriggerKind
from shardkeeper.domain.specs import Overlap, Strategy


@dataclass(slots=True, eq=False)
class JobTerms:
    """What the store itself must know of a pinned job version."""

    enabled: bool
    overlap: Overlap
    strategy: Strategy
    sharding_total_count: int
    failover: bool
    max_attempts: int
    max_takeovers: int
    misfire_grace: timedelta
    late_after: timedelta | None
    finish_within: timedelta | None
    priority: int
    node_selector: Mapping[str, str]
    alert: Mapping[str, Any]
    labels: Mapping[str, str]
    item_parameters: Mapping[str, str]
    owner: str | None
    pool: str | None
    max_running: int | None
    concurrency_key: str | None
    max_running_per_key: int
    rate_limit: int | None
    rate_period: timedelta
    follows: Mapping[str, Any]
    retention: timedelta | None
    parameters_schema: Mapping[str, Any] | None
    parameters_limit: int
    scheduled: bool

    @property
    def limited(self) -> bool:
        """Whether any limit shared by nodes holds for its attempts."""
        counted = self.pool is not None or self.max_running is not None or self.concurrency_key is not None
        return counted or self.rate_limit is not None


@dataclass(slots=True, eq=False)
class JobVersion:
    """One version of a job; ``spec`` and ``terms`` are None where it is the deletion."""

    job_name: str
    version: int
    spec: Mapping[str, Any] | None
    terms: JobTerms | None
    in_force_from: datetime
    problem: str | None = None
    """Why it was marked invalid."""


@dataclass(slots=True, eq=False)
class ImplVersion:
    impl_name: str
    version: int
    impl: Mapping[str, Any] | None
    sources: tuple[Mapping[str, Any], ...]
    in_force_from: datetime
    problem: str | None = None


@dataclass(slots=True, eq=False)
class PauseRecord:
    job_name: str
    since: datetime
    until: datetime | None
    reason: str | None
    by: str | None = None


@dataclass(slots=True, eq=False)
class LeaseRow:
    who: Registration
    beat: int
    state: LeaseState
    joined_at: datetime
    beaten_at: datetime


@dataclass(slots=True, eq=False)
class Run:
    """One row of job_run, with its attempts by item (attempt n of an item is at place n - 1)."""

    run_id: int
    job_name: str
    kind: TriggerKind
    fire_time: datetime
    status: RunStatus
    version: JobVersion
    terms: JobTerms
    impl_version: int
    sharding_total_count: int
    created_at: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 0
    fire_until: datetime | None = None
    missed_count: int | None = None
    reason: str | None = None
    rerun_of: int | None = None
    requested_by: str | None = None
    result: Any = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    attempts: dict[int, list[Attempt]] = field(default_factory=dict)
    open_items: int = 0
    failed_items: int = 0
    stopped_items: int = 0
    stop_requested: bool = False
    flow: str | None = None
    """What belongs together: the fire, or the submission, that set it and what follows it in motion."""
    compensating: bool = False
    """It failed for good, and is open only until its items are rolled back."""
    idempotency_key: str | None = None
    parent_run: int | None = None
    waiting: bool = False
    """For the job's live_run row: its attempts are not claimable until it holds that."""
    ever_claimed: bool = False


@dataclass(slots=True, eq=False)
class Attempt:
    """One row of shard_run."""

    key: AttemptKey
    run: Run
    claimable_from: datetime
    """The later of: inserted, ``not_before``, the run got the live_run row."""
    pinned_node: str | None = None
    tries: int = 0
    takeovers: int = 0
    checkpoint: Mapping[str, Any] | None = None
    status: AttemptStatus = AttemptStatus.PENDING
    not_before: datetime | None = None
    claim_no: int = 0
    claim_key: datetime | None = None
    """Of attempts without an owner: nodes with room pull the smallest."""
    limited: bool = False
    """Set by its claim, as is ``pool``: a limit shared by nodes holds for it, and this is how it counts."""
    pool: str | None = None
    concurrency_value: str | None = None
    compensable: bool = False
    """Whether it has begun what its task can roll back."""
    compensates: bool = False
    """Whether it is the rolling back."""
    answered: bool = False
    """Whether the holder of the present ``claim_no`` has recorded its outcome."""
    node_id: str | None = None
    incarnation: str | None = None
    phase: Phase | None = None
    claimed_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    initialize_ms: float | None = None
    calculate_ms: float | None = None
    validate_ms: float | None = None
    progress: float | None = None
    progress_message: str | None = None
    result: Any = None
    values: tuple[ValueRow, ...] = ()
    refused_values: tuple[ValueRow, ...] = ()
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    log: str | None = None
    code_version: str | None = None


def flow_of(run: Run) -> str:
    """What belongs together: stored for follow-ups and reruns, which inherit it."""
    if run.flow is not None:
        return run.flow
    if run.kind in (TriggerKind.SCHEDULE, TriggerKind.MISFIRE, TriggerKind.BACKFILL):
        return f"at:{run.fire_time.astimezone(UTC).isoformat(timespec='microseconds')}"
    return f"run:{run.run_id}"


def last_real(attempts: Sequence[Attempt]) -> Attempt:
    """Of an item's attempts, the last that was no rolling back: it says how the item ended."""
    return next(row for row in reversed(attempts) if not row.compensates)


@dataclass(slots=True, eq=False)
class FollowGate:
    """Of a job that follows several: whose runs of one flow have ended so far, by job."""

    arrived: dict[str, Run]
    opened_at: datetime


@dataclass(slots=True, eq=False)
class JobState:
    """What job_status shows of a job's last runs."""

    last_run: int | None = None
    last_status: RunStatus | None = None
    last_finished_at: datetime | None = None
    last_success_at: datetime | None = None
    failures_in_a_row: int = 0
    failed_alert: int | None = None
    """The alert of the present row of failures, which a recovery answers."""


@dataclass(slots=True, eq=False)
class Alert:
    alert_id: int
    event_key: str
    kind: str
    job_name: str | None
    channel: str | None
    body: Mapping[str, Any]
    created_at: datetime
    due_at: datetime | None
    """None: sent, or never again by itself."""
    tries: int = 0
    sent_at: datetime | None = None
    message_id: str | None = None
    answers: int | None = None
    """The alert in whose thread this one belongs."""
    reason: str | None = None


@dataclass(slots=True, eq=False)
class Duty:
    holder: str
    until: datetime


@dataclass(slots=True, eq=False)
class Sweep:
    """``window_until`` is None between windows; ``cursor`` is the last job name that is done."""

    watermark: datetime
    window_until: datetime | None = None
    cursor: str = ""
