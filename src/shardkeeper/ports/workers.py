"""The port to what runs attempts: orders in, events out. Nothing here blocks the caller but ``close``.

Every order that was submitted is answered by exactly one ``AttemptEnded`` or one ``AttemptReturned`` (never
begun: nothing of it ran), carrying its key and ``claim_no``. An order that ends as declined
(``Ending.decline``) was not begun either: this node cannot run the job. That an attempt began is told by
``AttemptStarted`` while it runs; of one that has ended before there was time for it, by its ``Ending.started_at``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, Protocol

from shardkeeper.domain.runs import AttemptKey, Phase
from shardkeeper.domain.value import value

Kind = Literal["python", "script", "http"]
Isolation = Literal["process", "thread"]


@value(frozen=True, slots=True)
class AttemptOrder:
    """Run this attempt now (its fire time has come: workers wait for nothing)."""

    key: AttemptKey
    claim_no: int
    kind: Kind
    entrypoint: str
    """``package.module:Class``, a file name in an allowed folder, or a URL."""
    isolation: Isolation
    context: Mapping[str, Any]
    """JSON-able: job_name, run_id, run_name, fire_time (ISO 8601 with offset), item, sharding_total_count,
    item_parameter (where it has one), parameters (merged), sources (list of key, weight, location, parameters),
    attempt, node_id, checkpoint."""
    timeout_s: float | None = None
    """Whole attempt, from the start of its first phase; None: no limit."""
    phase_timeouts_s: Mapping[str, float] = field(default_factory=dict)
    """By name of the phase."""
    memory_limit_bytes: int | None = None
    result_limit_bytes: int = 1_048_576
    """Of the result, or of all values together, as JSON in UTF-8."""
    compensates: bool = False
    """Run ``compensate`` of the class and nothing else, in the phase of that name; result and values stay empty."""


class EndingStatus(StrEnum):
    """How an attempt ended. All but RETRY_LATER are texts of ``shard_run.status``."""

    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    STOPPED = "STOPPED"
    RETRY_LATER = "RETRY_LATER"
    """Back to PENDING after ``delay_s``, using up no attempt."""


@value(frozen=True, slots=True)
class EndedValue:
    """A CalculateValue as it left the task: ``value`` is JSON."""

    key: str
    value: Any
    weight: float


@value(frozen=True, slots=True)
class Ending:
    """What became of an attempt. Texts are bounded and redacted; instants are aware UTC; ``*_ms`` None: phase
    not reached.
    """

    status: EndingStatus
    phase: Phase | None = None
    """The last phase that began."""
    started_at: datetime | None = None
    finished_at: datetime | None = None
    initialize_ms: float | None = None
    calculate_ms: float | None = None
    validate_ms: float | None = None
    result: Any = None
    values: tuple[EndedValue, ...] = ()
    refused_values: tuple[EndedValue, ...] = ()
    """What validation refused (the first few), never to be published."""
    error_type: str | None = None
    error_message: str | None = None
    traceback: str | None = None
    log: str | None = None
    """The tail of all that was printed and logged."""
    code_version: str | None = None
    delay_s: float = 0.0
    cancelled: bool = False
    """With STOPPED: the task itself raised Cancel; nobody had asked it to stop."""
    decline: bool = False
    """With FAILED: this node cannot run the job (not importable here, not allowed here); nothing of the
    attempt ran.
    """
    compensable: bool = False
    """It had begun, and its class overrides ``compensate``; known of one whose worker died, too."""


@value(frozen=True, slots=True)
class AttemptStarted:
    """``at``: wall clock, UTC, when the first phase began."""

    key: AttemptKey
    claim_no: int
    at: datetime
    code_version: str | None = None
    compensable: bool = False
    """Whether its class overrides ``compensate``."""
    phase: Phase = Phase.INITIALIZE
    """The first phase: INITIALIZE, or COMPENSATE."""


@value(frozen=True, slots=True)
class AttemptProgressed:
    """``fraction`` 0..1 or None; rate-limited by the worker, the newest counts."""

    key: AttemptKey
    claim_no: int
    phase: Phase
    fraction: float | None
    message: str


@value(frozen=True, slots=True)
class AttemptOwes:
    """It begins ``calculate``, with a class that overrides ``compensate``: should its run fail for good, it is to be
    rolled back, also when nothing more is heard of it."""

    key: AttemptKey
    claim_no: int


@value(frozen=True, slots=True)
class AttemptCheckpointed:
    key: AttemptKey
    claim_no: int
    checkpoint: Mapping[str, Any]


@value(frozen=True, slots=True)
class AttemptEnded:
    key: AttemptKey
    claim_no: int
    ending: Ending


@value(frozen=True, slots=True)
class AttemptReturned:
    """Given back unbegun: workers are closing, or none can be started (``reason``). It uses up no attempt."""

    key: AttemptKey
    claim_no: int
    reason: str


@value(frozen=True, slots=True)
class WorkersChanged:
    """``alive`` of ``wanted`` worker processes; ``restarts``: unexpected deaths since start; ``problem``: why
    none can be started.
    """

    alive: int
    wanted: int
    restarts: int
    problem: str | None = None


@value(frozen=True, slots=True)
class EntrypointChecked:
    """The answer to ``check``: None when it can be run here."""

    entrypoint: str
    kind: str
    problem: str | None


WorkerEvent = (
    AttemptStarted
    | AttemptProgressed
    | AttemptOwes
    | AttemptCheckpointed
    | AttemptEnded
    | AttemptReturned
    | WorkersChanged
    | EntrypointChecked
)


@value(frozen=True, slots=True)
class WorkersSaid:
    """Events in their order: what there was to say at one time."""

    events: tuple[WorkerEvent, ...]


Notify = Callable[[WorkersSaid], None]


class Workers(Protocol):
    """``notify`` is called from any thread and only puts what was said into a mailbox."""

    @property
    def capacity(self) -> int:
        """Attempts that may run at the same time."""

    def start(self, notify: Notify) -> None:
        """Idempotent."""

    def warm(self, isolation: Isolation) -> None:
        """Attempts of this isolation may come: have workers started, as far as they can begin at once. A hint: they end
        as others do that have nothing to do."""

    def submit(self, *orders: AttemptOrder) -> None:
        """Never blocks and never refuses; the caller keeps within ``capacity`` and a small buffer. After
        close: AttemptReturned.
        """

    def check(self, entrypoint: str, kind: str) -> None:
        """Whether the entrypoint can be run here, found in a worker process, running nothing of it:
        EntrypointChecked follows.
        """

    def stop(self, key: AttemptKey, claim_no: int, kill_after_s: float) -> None:
        """Ask the attempt to stop; half of ``kill_after_s`` later interrupt it, after all of it kill it with
        its children.

        Idempotent; a sooner kill wins; unknown or ended attempts are ignored. An attempt not begun ends as
        STOPPED at once.
        """

    def take_back(self, key: AttemptKey, claim_no: int) -> None:
        """Give an attempt back that has not begun: AttemptReturned follows. One that has, and unknown ones, are left
        alone."""

    def recycle(self) -> None:
        """New worker processes for what begins from now on; what runs ends in its old one."""

    def resize(self, capacity: int) -> None:
        """At least 1. Fewer: surplus workers end after their attempt."""

    def close(self, grace_s: float) -> None:
        """Return what has not begun, give what runs ``grace_s`` to end, then stop and kill it (AttemptEnded
        STOPPED).

        Blocks until no worker process is left. Idempotent; tolerates never-started.
        """
