"""One lease row per incarnation: who PostgreSQL knows as living, draining or dead, and what that incarnation
holds."""

from __future__ import annotations

from typing import Protocol

from shardkeeper.domain.leases import (
    BeatAnswer,
    Held,
    JoinAnswer,
    Lease,
    LeaseState,
    Registration,
    TakeoverAnswer,
)
from shardkeeper.domain.view import View

__all__ = [
    "BeatAnswer",
    "Held",
    "JoinAnswer",
    "Lease",
    "LeaseState",
    "LeaseStore",
    "Registration",
    "TakeoverAnswer",
]


class LeaseStore(Protocol):
    def join(self, who: Registration) -> JoinAnswer:
        """Insert the lease row, unless another incarnation of the node_id is not dead; repeating it for
        one's own is success."""

    def beat(self, incarnation: str) -> BeatAnswer:
        """Raise the own counter (where not dead) and read everything; the only periodic call of an idle node
        besides ``pending``."""

    def drain(self, incarnation: str, draining: bool = True) -> bool:
        """Say draining (or active again) in the own lease row; False when dead."""

    def leave(self, incarnation: str) -> bool:
        """Mark the own lease dead after everything was handed over. False (and nothing done) while attempts
        are RUNNING under it."""

    def take_over(self, taker: str, dead: str, beat: int) -> TakeoverAnswer:
        """Compare-and-set on the beat, lock the lease FOR UPDATE, mark it dead, turn all its RUNNING
        attempts into LOST, looking again while any is left. Next attempts become PENDING (checkpoint kept,
        takeovers + 1) unless failover is off, the run is to be stopped, the strategy is each_node or
        max_takeovers is used up: those items close. May be called by many at once."""

    def mirror_view(self, view: View) -> None:
        """Keep the view for nodes that restart while ZooKeeper is away: replaces another lineage or a lower
        epoch of its own."""
