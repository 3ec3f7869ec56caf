"""Leases: who PostgreSQL knows as living, draining or dead (docs/architecture.md, rule 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from shardkeeper.domain.frozen import EMPTY
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.view import View


class LeaseState(StrEnum):
    ACTIVE = "active"
    DRAINING = "draining"
    DEAD = "dead"
    """Taken over, or left by itself. Dead is for good: a node that finds itself dead starts a new
    incarnation."""


@dataclass(frozen=True, slots=True)
class Lease:
    node_id: str
    incarnation: str
    beat: int
    state: LeaseState
    labels: Mapping[str, str] = field(default=EMPTY, hash=False)


@dataclass(frozen=True, slots=True)
class Registration:
    node_id: str
    incarnation: str
    host: str
    pid: int
    weight: float
    labels: Mapping[str, str]
    version: str


@dataclass(frozen=True, slots=True)
class JoinAnswer:
    """Joined, or refused because ``predecessor`` (another incarnation of the node_id) is not dead: watch it,
    take it over, join again."""

    joined: bool
    predecessor: Lease | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Held:
    """An attempt that the store has as RUNNING under this incarnation."""

    key: AttemptKey
    claim_no: int
    job_name: str
    stop_requested: bool


@dataclass(frozen=True, slots=True)
class BeatAnswer:
    """``alive`` False: this incarnation is dead for good. ``leases``: all that are not dead, and of each
    node_id without a living lease its newest dead one. ``held``: this incarnation's RUNNING attempts.
    ``drain_ordered``, ``workers_ordered``: orders for this node_id. ``mirrored``: the view last mirrored.
    ``now``: the store's clock."""

    alive: bool
    leases: tuple[Lease, ...]
    held: tuple[Held, ...]
    drain_ordered: bool
    workers_ordered: int | None
    mirrored: View | None
    now: datetime


@dataclass(frozen=True, slots=True)
class TakeoverAnswer:
    """``taken`` False: the beat had moved on, or the lease was already dead and empty. Counts are of
    attempts."""

    taken: bool
    lost: int
    reissued: int
