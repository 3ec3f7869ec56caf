"""The LeaseStore of the store in memory: who lives, and taking over from who does not (rule 7)."""

from __future__ import annotations

from shardkeeper.domain.leases import (
    BeatAnswer,
    Held,
    JoinAnswer,
    Lease,
    LeaseState,
    Registration,
    TakeoverAnswer,
)
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.view import View
from shardkeeper.memory.calls import Connection, store_call
from shardkeeper.memory.closing import close_item, end_attempt, next_attempt
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt, LeaseRow


class MemoryLeases(Connection):
    """See ``ports.leases.LeaseStore``."""

    @store_call
    def join(self, who: Registration) -> JoinAnswer:
        database, now = self.database, self.database.now()
        own = database.leases.get(who.incarnation)
        if own is not None:
            return JoinAnswer(own.state is not LeaseState.DEAD, None, now)
        newest = database.newest_lease.get(who.node_id)
        if not database.rules.may_join(newest):
            return JoinAnswer(False, None if newest is None else as_lease(newest), now)
        row = LeaseRow(who, 0, LeaseState.ACTIVE, now, now)
        database.leases[who.incarnation] = database.newest_lease[who.node_id] = row
        database.note(What.JOINED, incarnation=who.incarnation, note=who.node_id)
        return JoinAnswer(True, None, now)

    @store_call
    def beat(self, incarnation: str) -> BeatAnswer:
        database, now = self.database, self.database.now()
        own = database.leases.get(incarnation)
        alive = own is not None and own.state is not LeaseState.DEAD
        if own is not None and alive:
            own.beat += 1
            own.beaten_at = now
            database.note(What.BEATEN, incarnation=incarnation)
        node_id = "" if own is None else own.who.node_id
        return BeatAnswer(
            alive,
            tuple(as_lease(row) for row in database.newest_lease.values()),
            tuple(_as_held(row) for row in database.held.get(incarnation, ())),
            database.drain_orders.get(node_id, False),
            database.worker_orders.get(node_id),
            database.mirrored,
            now,
        )

    @store_call
    def drain(self, incarnation: str, draining: bool = True) -> bool:
        row = self.database.leases.get(incarnation)
        if row is None or row.state is LeaseState.DEAD:
            return False
        row.state = LeaseState.DRAINING if draining else LeaseState.ACTIVE
        self.database.note(What.DRAINING if draining else What.ACTIVE, incarnation=incarnation)
        return True

    @store_call
    def leave(self, incarnation: str) -> bool:
        row = self.database.leases.get(incarnation)
        if row is None or self.database.held.get(incarnation):
            return False
        if row.state is not LeaseState.DEAD:
            row.state = LeaseState.DEAD
            self.database.note(What.LEFT, incarnation=incarnation)
        return True

    @store_call
    def take_over(self, taker: str, dead: str, beat: int) -> TakeoverAnswer:
        database = self.database
        lease = database.leases.get(dead)
        if lease is None or not database.rules.is_lapsed(lease, beat):
            return TakeoverAnswer(False, 0, 0)
        rows = list(database.held.get(dead, ()))
        if lease.state is LeaseState.DEAD and not rows:
            return TakeoverAnswer(False, 0, 0)
        lease.state = LeaseState.DEAD
        database.note(What.TAKEN_OVER, incarnation=dead, note=taker)
        return TakeoverAnswer(True, len(rows), sum(_lose(database, row) for row in rows))

    @store_call
    def mirror_view(self, view: View) -> None:
        kept = self.database.mirrored
        if kept is None or kept.lineage != view.lineage or kept.epoch < view.epoch:
            self.database.mirrored = view


def as_lease(row: LeaseRow) -> Lease:
    return Lease(row.who.node_id, row.who.incarnation, row.beat, row.state, row.who.labels)


def _as_held(row: Attempt) -> Held:
    return Held(row.key, row.claim_no, row.run.job_name, row.run.stop_requested)


def _lose(database: MemoryDatabase, row: Attempt) -> bool:
    """Turn a dead incarnation's attempt into LOST, or into STOPPED where its run is to stop anyway.

    True: another attempt stands in its place."""
    now = database.now()
    row.error_type = "Lost"
    row.error_message = f"node {row.node_id} (incarnation {row.incarnation}) stopped beating"
    stopping = database.rules.is_stopping(row.run)
    end_attempt(database, row, AttemptStatus.STOPPED if stopping else AttemptStatus.LOST, now)
    database.note(What.LOST, row=row, note=row.status)
    if not database.rules.may_reissue(row):
        close_item(database, row, now)
        return False
    follower = next_attempt(database, row, now, tries=row.tries, takeovers=row.takeovers + 1)
    database.note(What.REISSUED, row=follower)
    return True
