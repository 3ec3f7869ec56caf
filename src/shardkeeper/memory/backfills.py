"""Backfill: runs for fires of the past that have none."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from shardkeeper.domain.accounting import DueRun
from shardkeeper.domain.runs import RunStatus, TriggerKind
from shardkeeper.memory.creation import insert_run, new_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.ordering import orderable
from shardkeeper.memory.specs import as_impl_row, as_job_row
from shardkeeper.ports.operator import Past
from shardkeeper.ports.specs import Hint

_OF_FIRES = (TriggerKind.SCHEDULE, TriggerKind.MISFIRE, TriggerKind.BACKFILL)
_RECORDS = (RunStatus.MISSED, RunStatus.SKIPPED)


def past(database: MemoryDatabase, job: str, since: datetime, until: datetime) -> Past:
    """See ``OperatorStore.past``."""
    versions = [each for each in database.job_versions.get(job, ()) if database.rules.counts(each)]
    names = {each.spec["impl_spec"] for each in versions if each.spec is not None}
    return Past(
        tuple(map(as_job_row, versions)),
        tuple(
            as_impl_row(each)
            for name in sorted(names)
            for each in database.impl_versions.get(name, ())
            if database.rules.counts(each)
        ),
        frozenset(fire for fire in _with_run(database, job) if since <= fire < until),
        database.sweep.watermark,
    )


def backfill(database: MemoryDatabase, job: str, runs: Sequence[DueRun], by: str) -> list[int]:
    """See ``OperatorStore.backfill``."""
    orderable(database, job)
    standing = _with_run(database, job)
    ids = [
        _insert(database, each, by)
        for each in sorted(runs, key=lambda run: run.fire_time)
        if each.fire_time not in standing
    ]
    if ids:
        database.audit.append(
            {"happened_at": database.now(), "who": by, "what": "backfill", "subject": job, "detail": ids}
        )
        database.tell(Hint("work"))
    return ids


def _with_run(database: MemoryDatabase, job: str) -> set[datetime]:
    """Fires that ran, run or will; what stands as MISSED or SKIPPED has not."""
    return {
        run.fire_time
        for run in database.runs.values()
        if run.job_name == job and run.kind in _OF_FIRES and run.status not in _RECORDS
    }


def _insert(database: MemoryDatabase, due: DueRun, by: str) -> int:
    version = database.job_version_by_no[due.job_version]
    assert version.terms is not None
    run = new_run(
        database, TriggerKind.BACKFILL, version, version.terms, due.fire_time, due.impl_version,
        due.sharding_total_count,
    )  # fmt: skip
    run.requested_by = by
    insert_run(database, run, range(due.sharding_total_count), due.nodes)
    return run.run_id
