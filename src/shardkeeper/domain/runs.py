"""The words of a run and of its attempts, as they stand in ``job_run`` and ``shard_run``.

Each enumeration is the CHECK of its column: the value of a member is the text that is stored.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import NamedTuple


class RunStatus(StrEnum):
    """State of a run (``job_run.status``)."""

    CREATED = "CREATED"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"
    MISSED = "MISSED"
    SKIPPED = "SKIPPED"

    @property
    def is_open(self) -> bool:
        """Whether the run may still change: it is neither closed nor a mere record of what did not run."""
        return self in _OPEN_RUNS


class AttemptStatus(StrEnum):
    """State of one try of one item (``shard_run.status``)."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    LOST = "LOST"
    STOPPED = "STOPPED"

    @property
    def is_open(self) -> bool:
        """Whether the attempt may still change."""
        return self in _OPEN_ATTEMPTS


class TriggerKind(StrEnum):
    """What brought a run into being (``job_run.trigger_kind``)."""

    SCHEDULE = "schedule"
    MISFIRE = "misfire"
    MANUAL = "manual"
    SUBMIT = "submit"
    RERUN = "rerun"
    BACKFILL = "backfill"
    FOLLOW_UP = "follow_up"


class Phase(StrEnum):
    """The three phases of a task, in their order, and the one that undoes (``shard_run.phase``)."""

    INITIALIZE = "initialize"
    CALCULATE = "calculate"
    VALIDATE = "validate"
    COMPENSATE = "compensate"


class AttemptKey(NamedTuple):
    """The key of one attempt. The fire time is carried everywhere, so that only one partition is looked at.

    A tuple, as nothing else is looked up so often: its hash and its comparison cost a fifth of a dataclass's.
    """

    run_id: int
    fire_time: datetime
    """Aware, UTC."""
    item: int
    """From 0."""
    attempt: int
    """From 1."""


_OPEN_RUNS = frozenset({RunStatus.CREATED, RunStatus.RUNNING})
_OPEN_ATTEMPTS = frozenset({AttemptStatus.PENDING, AttemptStatus.RUNNING})
