"""What people order: trigger, stop, rerun, pause, resume, apply. Each leaves a line in the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.runs import AttemptStatus, TriggerKind
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.closing import stop_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.ordering import (
    Ordered,
    check_fire_time,
    check_parameters,
    impl_now,
    insert_ordered,
    nodes_for,
    orderable,
    ordered_now,
)
from shardkeeper.memory.rows import PauseRecord, Run, flow_of, last_real
from shardkeeper.ports.specs import Hint


def audit(database: MemoryDatabase, who: str, what: str, subject: object, detail: object = None) -> None:
    database.audit.append(
        {"happened_at": database.now(), "who": who, "what": what, "subject": subject, "detail": detail}
    )


def trigger(
    database: MemoryDatabase,
    job: str,
    parameters: Mapping[str, Any],
    item: int | None,
    fire_time: datetime | None,
    by: str,
) -> int:
    """See ``OperatorStore.trigger``."""
    now = database.now()
    of = ordered_now(database, job)
    if item is not None and not 0 <= item < of.total:
        raise OrderRefused(f"{job} has no item {item}: give one from 0 to {of.total - 1}")
    check_parameters(database, of, parameters)
    fire_time = fire_time or now
    check_fire_time(fire_time)
    run = insert_ordered(
        database,
        TriggerKind.MANUAL,
        of,
        fire_time,
        max(fire_time, now),
        None if item is None else [item],
        parameters=parameters,
        priority=of.terms.priority,
        by=by,
    )
    audit(database, by, "trigger", job, run.run_id)
    database.tell(Hint("work"))
    return run.run_id


def stop(database: MemoryDatabase, run_id: int, by: str) -> bool:
    """See ``OperatorStore.stop``."""
    run = database.open_runs.get(run_id)
    if run is None:
        return False
    stop_run(database, run, f"stopped by {by}")
    audit(database, by, "stop", run_id)
    database.tell(Hint("orders"))
    return True


def rerun(
    database: MemoryDatabase, run_id: int, parameters: Mapping[str, Any], same_version: bool, by: str
) -> int:
    """See ``OperatorStore.rerun``; ``parameters`` go over those of the old run."""
    old = database.runs.get(run_id)
    if old is None:
        raise OrderRefused(f"there is no run {run_id}: `shardkeeper runs` lists them")
    if old.run_id in database.open_runs:
        raise OrderRefused(f"run {run_id} has not ended: stop it first")
    of = _rerun_under(database, old, same_version)
    if parameters:
        check_parameters(database, of, {**old.parameters, **parameters})
    run = insert_ordered(
        database,
        TriggerKind.RERUN,
        of,
        old.fire_time,
        max(old.fire_time, database.now()),  # of one that was stopped before its time, no sooner
        parameters={**old.parameters, **parameters},
        priority=old.priority,
        by=by,
        flow=flow_of(old),
        pulled=any(row.claim_key is not None for rows in old.attempts.values() for row in rows),
    )
    run.rerun_of = old.run_id
    _take_checkpoints(old, run)
    audit(database, by, "rerun", run_id, run.run_id)
    database.tell(Hint("work"))
    return run.run_id


def _rerun_under(database: MemoryDatabase, old: Run, same_version: bool) -> Ordered:
    version, terms = orderable(database, old.job_name)
    if same_version:
        version, terms = old.version, old.terms
    impl = database.impl_version_by_no.get(old.impl_version) if same_version else None
    return Ordered(version, terms, impl or impl_now(database, version), nodes_for(database, terms))


def _take_checkpoints(old: Run, new: Run) -> None:
    """Items that were not COMPLETED, nor rolled back, go on from where they were, if the items are still the same
    ones."""
    if old.sharding_total_count != new.sharding_total_count:
        return
    for item, rows in old.attempts.items():
        done = any(row.compensates and row.status is AttemptStatus.COMPLETED for row in rows)
        last = last_real(rows)
        if item in new.attempts and not done and last.status is not AttemptStatus.COMPLETED:
            new.attempts[item][0].checkpoint = last.checkpoint


def pause(database: MemoryDatabase, job: str, reason: str | None, until: datetime | None, by: str) -> None:
    """See ``OperatorStore.pause``; a pause that stands is replaced."""
    if job not in database.jobs:
        raise OrderRefused(f"there is no job {job}: `shardkeeper jobs` lists them")
    now = database.now()
    if until is not None and until <= now:
        raise OrderRefused("the pause would end in the past: give a later instant, or none")
    _end_pause(database, job)
    database.pauses.setdefault(job, []).append(PauseRecord(job, now, until, reason, by))
    database.note(What.PAUSED, job_name=job, note=reason)
    _changed(database, by, "pause", job)


def resume(database: MemoryDatabase, job: str, by: str) -> bool:
    """See ``OperatorStore.resume``."""
    if not _end_pause(database, job):
        return False
    database.note(What.RESUMED, job_name=job)
    _changed(database, by, "resume", job)
    return True


def _end_pause(database: MemoryDatabase, job: str) -> bool:
    now = database.now()
    running = [each for each in database.pauses.get(job, ()) if each.until is None or each.until > now]
    for each in running:
        each.until = now
    return bool(running)


def _changed(database: MemoryDatabase, by: str, what: str, job: str) -> None:
    database.job_changes[job] = database.number("change")
    audit(database, by, what, job)
    database.tell(Hint("specs", frozenset({job}), frozenset()))


def apply(
    database: MemoryDatabase,
    author: Author,
    impls: Sequence[Mapping[str, Any]],
    jobs: Sequence[Mapping[str, Any]],
) -> dict[str, list[str]]:
    """See ``OperatorStore.apply``: what the rows leave out gets its default, and sources are replaced as a whole."""
    before = (set(database.impls), set(database.jobs))
    versions = _newest(database)
    with author.transaction():
        for impl in impls:
            _apply_impl(database, author, impl)
        for job in jobs:
            author.replace_job(**job)
    answer: dict[str, list[str]] = {"inserted": [], "updated": [], "unchanged": []}
    after = _newest(database)
    for of, existed, rows in (("impl", before[0], impls), ("job", before[1], jobs)):
        for name in (str(row["name"]) for row in rows):
            changed = after[(of, name)] != versions.get((of, name))
            what = "unchanged" if not changed else "updated" if name in existed else "inserted"
            answer[what].append(name)
    return answer


def _newest(database: MemoryDatabase) -> dict[tuple[str, str], int]:
    jobs = {("job", name): versions[-1].version for name, versions in database.job_versions.items()}
    impls = {("impl", name): versions[-1].version for name, versions in database.impl_versions.items()}
    return jobs | impls


def _apply_impl(database: MemoryDatabase, author: Author, impl: Mapping[str, Any]) -> None:
    name = str(impl["name"])
    sources: Sequence[Mapping[str, Any]] = impl.get("sources", ())
    author.replace_impl(**{column: value for column, value in impl.items() if column != "sources"})
    for key in set(database.sources.get(name, {})) - {str(source["key"]) for source in sources}:
        author.delete_source(name, key)
    for source in sources:
        author.replace_source(name, **source)
