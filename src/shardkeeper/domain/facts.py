"""What happened, stated once: log, metrics and alerts subscribe.

Facts are for people and instruments; nothing in the engine is decided by them.
"""

from __future__ import annotations

from datetime import datetime

from shardkeeper.domain.runs import AttemptKey, AttemptStatus, RunStatus
from shardkeeper.domain.value import value


@value(frozen=True, slots=True)
class Joined:
    incarnation: str


@value(frozen=True, slots=True)
class JoinRefused:
    """Another incarnation of this node_id is not dead yet: it is waited for, then taken over."""

    predecessor: str


@value(frozen=True, slots=True)
class FoundDead:
    """This incarnation was taken over while it was away; the node goes on under a new one."""

    incarnation: str
    attempts_halted: int


@value(frozen=True, slots=True)
class TakenOver:
    incarnation: str
    lost: int
    reissued: int


@value(frozen=True, slots=True)
class MembersChanged:
    """Ownership moved: these nodes share the work now."""

    epoch: int
    nodes: tuple[str, ...]


@value(frozen=True, slots=True)
class RunCreated:
    job_name: str
    run_id: int
    fire_time: datetime
    seconds_late: float
    """From the fire time to the answer, by the store's clock."""


@value(frozen=True, slots=True)
class FireLeft:
    """A fire that this node does not create: out of the on-time window or not storable; the sweep accounts
    for it."""

    job_name: str
    fire_time: datetime
    reason: str


@value(frozen=True, slots=True)
class AttemptClaimed:
    job_name: str
    key: AttemptKey


@value(frozen=True, slots=True)
class AttemptRecorded:
    job_name: str
    key: AttemptKey
    status: AttemptStatus
    retried: bool
    run_closed: RunStatus | None
    error_message: str | None
    ran_s: float | None


@value(frozen=True, slots=True)
class OutcomeSuperseded:
    """A result that came too late: another claim owns the attempt, or it was closed. Nothing was written."""

    job_name: str
    key: AttemptKey


@value(frozen=True, slots=True)
class OutcomeRefused:
    """The store cannot hold a value of this outcome; the attempt is recorded as FAILED instead."""

    job_name: str
    key: AttemptKey
    reason: str


@value(frozen=True, slots=True)
class JobDeclined:
    job_name: str
    reason: str


@value(frozen=True, slots=True)
class WorkersLost:
    """Worker processes cannot be kept alive: this node takes no work, and tries again after a while."""

    problem: str


@value(frozen=True, slots=True)
class WorkersBack:
    """A worker lives again: this node takes work."""


@value(frozen=True, slots=True)
class StoreLost:
    reason: str


@value(frozen=True, slots=True)
class StoreFound:
    away_s: float


@value(frozen=True, slots=True)
class CallUnanswered:
    """A lane of the node got no answer from PostgreSQL; told now and then for as long as it lasts."""

    lane: str
    reason: str


@value(frozen=True, slots=True)
class SweepLeftToOthers:
    """Specs of a newer version of Shardkeeper cannot be judged here: no sweep of this node for a while."""

    jobs: tuple[str, ...]
    reason: str


@value(frozen=True, slots=True)
class LeaseLapsed:
    """PostgreSQL has not answered for a whole lease: others may take over what runs here."""

    attempts_halted: int


@value(frozen=True, slots=True)
class ClockSkewed:
    by_s: float
    within_limit: bool


@value(frozen=True, slots=True)
class Draining:
    leaving: bool


@value(frozen=True, slots=True)
class NodeLeft:
    given_back: int


@value(frozen=True, slots=True)
class CoordinatorSeen:
    """The link with ZooKeeper changed, or something unreadable lies there."""

    session: str
    problems: tuple[str, ...]


@value(frozen=True, slots=True)
class ViewPublished:
    epoch: int
    nodes: tuple[str, ...]


@value(frozen=True, slots=True)
class ViewRefused:
    """Somebody else leads, or the link broke: the next snapshot tells."""

    epoch: int
    reason: str
    detail: str


@value(frozen=True, slots=True)
class DutyDone:
    """One round of a duty: what it did, in words."""

    duty: str
    summary: str


@value(frozen=True, slots=True)
class ListenerChanged:
    listening: bool
    problem: str | None


@value(frozen=True, slots=True)
class JournalDamaged:
    """A line of the journal of outcomes cannot be read and was left out."""

    message: str


@value(frozen=True, slots=True)
class AlertsSent:
    count: int


@value(frozen=True, slots=True)
class AlertsHeldUp:
    """The service refused; ``retry_after_s`` None: it will not be tried again by itself."""

    count: int
    reason: str
    retry_after_s: float | None
