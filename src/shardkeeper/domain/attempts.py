"""Asking for runs and attempts, and what is answered: the words of creation and claim (docs/architecture.md,
rules 3 and 4)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from shardkeeper.domain.runs import AttemptKey, TriggerKind
from shardkeeper.domain.value import value

POINT_OF_PRIORITY = timedelta(minutes=1)
"""Of attempts without an owner: so long a wait a point of priority makes up for. So none starves."""


@value(frozen=True, slots=True)
class CreateRun:
    """Create the run of one scheduled fire with all its attempts, or claim of it when it exists.

    ``claim_items`` (those this node owns and has room for) become RUNNING under the caller, the rest
    PENDING. ``create`` False only claims (the owner of the lowest item creates first). ``nodes``: for
    each_node, the node_id that each item is pinned to.
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


@value(frozen=True, slots=True)
class RunHead:
    """What an attempt needs to know of its run. ``parameters`` are the run's own (a trigger's), not yet
    merged."""

    job_name: str
    kind: TriggerKind
    job_version: int
    impl_version: int
    sharding_total_count: int
    parameters: Mapping[str, Any]


@value(frozen=True, slots=True)
class Claimed:
    """An attempt that is now RUNNING under the caller. ``tries`` ended before it, ``takeovers`` were lost
    before it. ``compensates``: it rolls back what the item did, in a run that has failed for good."""

    key: AttemptKey
    claim_no: int
    run: RunHead
    checkpoint: Mapping[str, Any] | None
    tries: int
    takeovers: int
    stop_requested: bool = False
    compensates: bool = False


@value(frozen=True, slots=True)
class CreateAnswer:
    """The answer to one CreateRun, in the order asked. ``now`` is the store's clock; ``reason`` is for
    people."""

    outcome: Creation
    run_id: int | None
    claimed: tuple[Claimed, ...]
    now: datetime
    reason: str | None = None


@value(frozen=True, slots=True)
class Pending:
    """A claimable PENDING attempt: due (not_before), its run not waiting for the live_run row and not to be
    stopped.

    ``pinned_node``: each_node's. ``waiting_s``: since it became claimable, by the store's clock.
    ``declined_by``: node_ids that cannot run the job. ``owned`` False: whoever has room pulls it; it is shown only
    because nobody did for a while."""

    key: AttemptKey
    job_name: str
    kind: TriggerKind
    job_version: int
    impl_version: int
    sharding_total_count: int
    pinned_node: str | None
    waiting_s: float
    declined_by: tuple[str, ...] = ()
    owned: bool = True
