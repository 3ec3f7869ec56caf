"""The SweepStore of the store in memory: fires that nobody created a run for in time (rule 9)."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Sequence
from datetime import datetime

from shardkeeper.domain.runs import RunStatus, TriggerKind
from shardkeeper.memory.alerting import alert_of_missed
from shardkeeper.memory.calls import Connection, store_call
from shardkeeper.memory.creation import insert_record, insert_run, new_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.specs import impl_rows, job_rows, pause_rows
from shardkeeper.ports.duties import (
    GLANCED,
    SWEEP,
    Choose,
    Glanced,
    MisfireRun,
    RangeRecord,
    SweepSlice,
    SweptJob,
    everything,
)


class MemorySweep(Connection):
    """See ``ports.duties.SweepStore``."""

    @store_call
    def sweep_begin(self, incarnation: str, limit: int, choose: Choose = everything) -> SweepSlice | None:
        database = self.database
        if not database.take_duty(SWEEP, incarnation):
            return None
        sweep = database.sweep
        if sweep.window_until is None:
            until = database.rules.swept_until(database.now(), database.on_time_window)
            if until <= sweep.watermark:
                return None
            sweep.window_until, sweep.cursor = until, ""
        return _slice(database, limit, choose)

    @store_call
    def sweep_apply(
        self, incarnation: str, done: SweepSlice, runs: Sequence[MisfireRun], records: Sequence[RangeRecord]
    ) -> bool:
        database, sweep = self.database, self.database.sweep
        duty, lease = database.duties.get(SWEEP), database.leases.get(incarnation)
        if not database.rules.still_sweeps(duty, lease, incarnation):
            return False
        _, upto = json.loads(done.cursor)
        same_window = sweep.window_until == done.window_until and sweep.watermark == done.window_from
        if not same_window or not database.rules.is_unchanged(
            done, _place(sweep.cursor, upto), _fingerprint(database, sweep.cursor, upto)
        ):
            return False
        for run in runs:
            _insert_run(database, run)
        for record in records:
            _insert_record(database, record)
        sweep.cursor = upto or sweep.cursor
        if database.rules.ends_window(upto is not None):
            sweep.watermark, sweep.window_until, sweep.cursor = done.window_until, None, ""
            database.note(What.SWEPT, fire_until=done.window_until)
        return True


def _next_jobs(database: MemoryDatabase, limit: int) -> list[str]:
    """The next jobs after the cursor that have a version in force in the window."""
    sweep = database.sweep
    assert sweep.window_until is not None
    found: list[str] = []
    for name in sorted(database.job_versions):
        if len(found) == limit:
            break
        if name > sweep.cursor and any(
            row.spec is not None for row in job_rows(database, name, sweep.watermark, sweep.window_until)
        ):
            found.append(name)
    return found


def _slice(database: MemoryDatabase, limit: int, choose: Choose) -> SweepSlice:
    sweep = database.sweep
    assert sweep.window_until is not None
    since, until = sweep.watermark, sweep.window_until
    following = _next_jobs(database, GLANCED * limit + 1)
    glanced = [_glanced(database, name) for name in following[: GLANCED * limit]]
    upto = glanced[-1][0] if len(following) > len(glanced) else None
    names = choose(since, until, glanced)
    if len(names) > limit:
        names = names[:limit]
        upto = names[-1]
    jobs = [
        SweptJob(
            name,
            tuple(job_rows(database, name, since)),  # to this day: a job switched off since then is skipped
            tuple(pause_rows(database, name, since)),
            frozenset(_existing(database, name, since, until)),
        )
        for name in names
    ]
    return SweepSlice(
        since,
        until,
        _place(sweep.cursor, upto),
        _fingerprint(database, sweep.cursor, upto),
        tuple(jobs),
        tuple(row for name in _impls_of(database, names) for row in impl_rows(database, name, since, until)),
        database.now(),
        upto is None,
    )


def _glanced(database: MemoryDatabase, name: str) -> Glanced:
    return name, [row.version for row in job_rows(database, name, database.sweep.watermark)]


def _place(after: str, upto: str | None) -> str:
    """The cursor of a slice."""
    return json.dumps([after, upto])


def _existing(database: MemoryDatabase, name: str, since: datetime, until: datetime) -> list[datetime]:
    """The fire times in the window that stand as runs or as the ends of records."""
    found: list[datetime] = []
    fires = database.fires_of.get(name, [])
    for fire_time in fires[bisect_right(fires, since) : bisect_right(fires, until)]:
        record = database.fires[(name, fire_time)]
        found.append(fire_time)
        if record.fire_until is not None:
            found.append(record.fire_until)
    return found


def _impls_of(database: MemoryDatabase, names: Sequence[str]) -> list[str]:
    """The ImplSpecs that versions of these jobs name."""
    rows = (row for name in names for row in job_rows(database, name, database.sweep.watermark))
    return sorted({row.spec["impl_spec"] for row in rows if row.spec is not None})


def _fingerprint(database: MemoryDatabase, after: str, upto: str | None) -> str:
    """Changes with every version and mark of these jobs and their ImplSpecs, and with every pause."""
    names = [
        name for name in sorted(database.job_versions) if name > after and (upto is None or name <= upto)
    ]
    of_jobs = (f"{name}:{database.job_changes.get(name, 0)}" for name in names)
    of_impls = (f"{name}:{database.impl_changes.get(name, 0)}" for name in _impls_of(database, names))
    return f"{','.join(of_jobs)};{','.join(of_impls)}"


def _insert_run(database: MemoryDatabase, wanted: MisfireRun) -> None:
    if not database.rules.is_new_fire(database.fires.get((wanted.job_name, wanted.fire_time))):
        return
    version = database.job_version_by_no[wanted.job_version]
    assert version.terms is not None
    run = new_run(
        database,
        TriggerKind.MISFIRE,
        version,
        version.terms,
        wanted.fire_time,
        wanted.impl_version,
        wanted.sharding_total_count,
    )
    insert_run(database, run, range(wanted.sharding_total_count), wanted.nodes)


def _insert_record(database: MemoryDatabase, wanted: RangeRecord) -> None:
    if not database.rules.is_new_fire(database.fires.get((wanted.job_name, wanted.fire_time))):
        return
    version = database.job_version_by_no[wanted.job_version]
    assert version.terms is not None
    record = insert_record(
        database,
        version,
        version.terms,
        wanted.status,
        wanted.fire_time,
        wanted.reason,
        kind=TriggerKind.MISFIRE,
        fire_until=wanted.fire_until,
        count=wanted.count,
    )
    if wanted.status is RunStatus.MISSED:
        alert_of_missed(database, record)
