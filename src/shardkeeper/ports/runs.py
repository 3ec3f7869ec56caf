"""Runs and attempts: creation, claims, outcomes. Every method is one conditional, batched, autocommitted call (DESIGN.md §5)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase, RunStatus, TriggerKind


@dataclass(frozen=True, slots=True)
class CreateRun:
    """Create the run of one scheduled fire with all its attempts, or claim of it when it exists.

    ``claim_items`` (those this node owns and has room for) become RUNNING under the caller, the rest PENDING. ``create`` False only
    claims (the owner of the lowest item creates first). ``nodes``: for each_node, the node_id that each item is pinned to.
    """

    job_name: str
    fire_time: datetime
    job_version: int
    impl_version: int
    sharding_total_count: int
    claim_items: tuple[int, ...]
    create: bool = True
    nodes: tuple[str, ...] | None = None


class Creation(StrEnum):
    CREATED = "created"
    EXISTS = "exists"
    ABSENT = "absent"
    """``create`` was False and nobody has created it yet."""
    EARLY = "early"
    """The store's clock has not reached the fire time: again when due."""
    OLD = "old"
    """Out of the on-time window: the sweep's business."""
    NOT_IN_FORCE = "not_in_force"
    """Another version is in force at the fire time: reload."""
    SKIPPED = "skipped"
    """A SKIPPED record stands instead: paused, disabled or deleted meanwhile, or another run in the way."""
    DEAD = "dead"
    """The caller's lease is dead or draining past creation: nothing was done."""
    REFUSED = "refused"
    """A value of this request cannot be stored; ``reason`` says which."""


@dataclass(frozen=True, slots=True)
class RunHead:
    """What an attempt needs to know of its run. ``parameters`` are the run's own (a trigger's), not yet merged."""

    job_name: str
    kind: TriggerKind
    job_version: int
    impl_version: int
    sharding_total_count: int
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An attempt that is now RUNNING under the caller. ``tries`` ended before it, ``takeovers`` were lost before it."""

    key: AttemptKey
    claim_no: int
    run: RunHead
    checkpoint: Mapping[str, Any] | None
    tries: int
    takeovers: int
    stop_requested: bool = False


@dataclass(frozen=True, slots=True)
class CreateAnswer:
    """The answer to one CreateRun, in the order asked. ``now`` is the store's clock; ``reason`` is for people."""

    outcome: Creation
    run_id: int | None
    claimed: tuple[Claimed, ...]
    now: datetime
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """A claimable PENDING attempt: due (not_before), its run not waiting for the live_run row and not to be stopped.

    ``pinned_node``: each_node's. ``waiting_s``: since it became claimable, by the store's clock."""

    key: AttemptKey
    job_name: str
    kind: TriggerKind
    job_version: int
    impl_version: int
    sharding_total_count: int
    pinned_node: str | None
    waiting_s: float


@dataclass(frozen=True, slots=True)
class ValueRow:
    key: str
    value: Any
    weight: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one attempt ended. Stored only when attempt, incarnation and ``claim_no`` are still the row's.

    ``status``: COMPLETED, FAILED, TIMED_OUT, STOPPED; or PENDING to give it back under the same number (drain, RetryLater, a
    claim not started), not before ``delay_s`` from now, with ``checkpoint`` kept. ``retry_after_s``: a next attempt after that many seconds, when the policy
    gives one; the store lets none through once ``max_attempts`` are used up or the run is to be stopped.
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


class Recording(StrEnum):
    RECORDED = "recorded"
    REPEATED = "repeated"
    """The same claim's outcome stood already: success."""
    SUPERSEDED = "superseded"
    """Another claim owns the attempt now, or it was closed without us: nothing was written."""
    REFUSED = "refused"
    """A value in it cannot be stored (``reason``): the caller records FAILED in its place."""


@dataclass(frozen=True, slots=True)
class OutcomeAnswer:
    key: AttemptKey
    recording: Recording
    run_closed: RunStatus | None = None
    retried: bool = False
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Progress:
    """What a running attempt says of itself; None leaves a column as it is."""

    key: AttemptKey
    claim_no: int
    phase: Phase | None = None
    started_at: datetime | None = None
    fraction: float | None = None
    message: str | None = None
    checkpoint: Mapping[str, Any] | None = None
    code_version: str | None = None


class RunStore(Protocol):
    def create(self, incarnation: str, requests: Sequence[CreateRun]) -> list[CreateAnswer]:
        """At most one request per job in a batch. See CreateRun and Creation."""

    def claim(self, incarnation: str, keys: Sequence[AttemptKey]) -> list[Claimed]:
        """PENDING → RUNNING under the caller, whose lease is locked and active; rows already RUNNING under it are returned too.
        What is missing from the answer was not to be had."""

    def pending(self, incarnation: str, limit: int) -> list[Pending]:
        """Claimable attempts, longest waiting first, at most ``limit``; those of each_node only for the caller's node."""

    def record(self, incarnation: str, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
        """In the order asked. A batch that times out or holds what cannot be stored is split until the culprit stands alone."""

    def progress(self, incarnation: str, reports: Sequence[Progress]) -> None:
        """Phase, progress and checkpoints of attempts still held under that claim; others are ignored."""

    def no_eligible_node(self, incarnation: str, keys: Sequence[AttemptKey], reason: str) -> None:
        """Close attempts still PENDING as FAILED "no eligible node": nobody could run them for too long."""
