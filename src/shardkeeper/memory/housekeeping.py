"""The HousekeepingStore of the store in memory: retention, dead leases, alerts of lateness (rule 14)."""

from __future__ import annotations

from datetime import datetime, timedelta

from shardkeeper.domain.leases import LeaseState
from shardkeeper.memory.alerting import alert_of_lateness
from shardkeeper.memory.calls import Connection, store_call
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Run
from shardkeeper.ports.duties import HOUSEKEEPING, Housekeeping


class MemoryHousekeeping(Connection):
    """See ``ports.duties.HousekeepingStore``; memory has no partitions, so it makes, moves and drops none."""

    @store_call
    def keep_house(self, incarnation: str, retention_s: float) -> Housekeeping | None:
        database = self.database
        if not database.take_duty(HOUSEKEEPING, incarnation):
            return None
        now = database.now()
        _tell_lateness(database, now)
        before = now - timedelta(seconds=retention_s)
        for key in [key for key, gate in database.gates.items() if gate.opened_at < before]:
            del database.gates[key]
        return Housekeeping(0, 0, 0, _forget_runs(database, before, now) + _forget_leases(database, before))


def _tell_lateness(database: MemoryDatabase, now: datetime) -> None:
    """Every run that is late, or was since the last look, is told of once."""
    since, database.lateness_told_until = database.lateness_told_until, now
    ended = [
        run
        for run in database.runs.values()
        if run.attempts and run.finished_at is not None and run.finished_at > since
    ]
    for run in [*database.open_runs.values(), *ended]:
        terms = run.terms
        if terms.late_after is not None and _passed(run.fire_time, terms.late_after, run.started_at or now):
            alert_of_lateness(database, run, "late_after")
        if terms.finish_within is not None and _passed(
            run.fire_time, terms.finish_within, run.finished_at or now
        ):
            alert_of_lateness(database, run, "finish_within")


def _passed(fire_time: datetime, limit: timedelta, at: datetime) -> bool:
    return at - fire_time > limit


def _forget_runs(database: MemoryDatabase, before: datetime, now: datetime) -> int:
    old = [run for run in database.runs.values() if _is_old(database, run, before, now)]
    for run in old:
        del database.runs[run.run_id]
        if database.fires.get((run.job_name, run.fire_time)) is run:
            database.drop_fire(run)
    return len(old)


def _is_old(database: MemoryDatabase, run: Run, before: datetime, now: datetime) -> bool:
    """By the retention of its job, else by that of all."""
    retention = database.jobs.get(run.job_name, {}).get("retention")
    since = before if retention is None else now - retention
    if run.finished_at is None or _last_fire(run) >= since:
        return False
    # young at either end; and of a fire that the sweep has not passed another run would be made
    return since <= before or (run.finished_at < since and _last_fire(run) < database.sweep.watermark)


def _last_fire(run: Run) -> datetime:
    return run.fire_until or run.fire_time


def _forget_leases(database: MemoryDatabase, before: datetime) -> int:
    """Dead ones that nothing can want to know of any more; the newest of a node stays."""
    old = [
        name
        for name, lease in database.leases.items()
        if lease.state is LeaseState.DEAD
        and lease.beaten_at < before
        and database.newest_lease[lease.who.node_id] is not lease
    ]
    for name in old:
        del database.leases[name]
    return len(old)
