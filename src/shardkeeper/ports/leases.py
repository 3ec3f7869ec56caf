"""One lease row per incarnation: who PostgreSQL knows as living, draining or dead, and what that incarnation holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.view import View


class LeaseState(StrEnum):
    ACTIVE = "active"
    DRAINING = "draining"
    DEAD = "dead"
    """Taken over, or left by itself. Dead is for good: a node that finds itself dead starts a new incarnation."""


@dataclass(frozen=True, slots=True)
class Lease:
    node_id: str
    incarnation: str
    beat: int
    state: LeaseState


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
    """Joined, or refused because ``predecessor`` (another incarnation of the node_id) is not dead: watch it, take it over, join again."""

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
    """``alive`` False: this incarnation is dead for good. ``leases``: all that are not dead, and of each node_id without a living
    lease its newest dead one. ``held``: this incarnation's RUNNING attempts. ``drain_ordered``, ``workers_ordered``: orders for
    this node_id. ``mirrored``: the view last mirrored. ``now``: the store's clock."""

    alive: bool
    leases: tuple[Lease, ...]
    held: tuple[Held, ...]
    drain_ordered: bool
    workers_ordered: int | None
    mirrored: View | None
    now: datetime


@dataclass(frozen=True, slots=True)
class TakeoverAnswer:
    """``taken`` False: the beat had moved on, or the lease was already dead and empty. Counts are of attempts."""

    taken: bool
    lost: int
    reissued: int


class LeaseStore(Protocol):
    def join(self, who: Registration) -> JoinAnswer:
        """Insert the lease row, unless another incarnation of the node_id is not dead; repeating it for one's own is success."""

    def beat(self, incarnation: str) -> BeatAnswer:
        """Raise the own counter (where not dead) and read everything; the only periodic call of an idle node besides ``pending``."""

    def drain(self, incarnation: str, draining: bool = True) -> bool:
        """Say draining (or active again) in the own lease row; False when dead."""

    def leave(self, incarnation: str) -> bool:
        """Mark the own lease dead after everything was handed over. False (and nothing done) while attempts are RUNNING under it."""

    def take_over(self, taker: str, dead: str, beat: int) -> TakeoverAnswer:
        """Compare-and-set on the beat, lock the lease FOR UPDATE, mark it dead, turn all its RUNNING attempts into LOST, looking
        again while any is left. Next attempts become PENDING (checkpoint kept, takeovers + 1) unless failover is off, the run is to
        be stopped, the strategy is each_node or max_takeovers is used up: those items close. May be called by many at once."""

    def mirror_view(self, view: View) -> None:
        """Keep the view for nodes that restart while ZooKeeper is away: replaces another lineage or a lower epoch of its own."""
