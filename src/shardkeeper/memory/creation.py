"""Creating runs: with all their attempts at once, decided by the store's own clock and versions (rules 1,
3 and 10)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Creation
from shardkeeper.domain.naming import run_name
from shardkeeper.domain.runs import AttemptKey, RunStatus, TriggerKind
from shardkeeper.domain.specs import Overlap
from shardkeeper.memory.claims import claim_items
from shardkeeper.memory.closing import competes, stop_run, take_live_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.limits import concurrency_value, limits_of
from shardkeeper.memory.rows import Attempt, JobTerms, JobVersion, LeaseRow, Run
from shardkeeper.memory.storable import why_not_storable


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the versions in force say of one request."""

    version: JobVersion
    terms: JobTerms


def create_one(database: MemoryDatabase, lease: LeaseRow | None, request: CreateRun) -> CreateAnswer:
    """Answer one request. Asked twice (unknown commit), the second answer is EXISTS with what is RUNNING
    under the caller."""
    now = database.now()
    rules = database.rules
    if lease is None or not rules.may_create(lease):
        return CreateAnswer(Creation.DEAD, None, (), now)
    problem = why_not_storable((request.job_name, *(request.nodes or ())))
    if problem:
        return CreateAnswer(Creation.REFUSED, None, (), now, problem)
    if limits_of(database, request.job_name) is not None:
        request = replace(request, claim_items=())  # claimed afterwards, under its limits
    existing = database.fires.get((request.job_name, request.fire_time))
    if not rules.is_new_fire(existing):
        assert existing is not None
        return _existing(database, lease, request, existing, now)
    if not rules.is_due(request.fire_time, now):
        return CreateAnswer(Creation.EARLY, None, (), now)
    wanted = _in_force(database, request)
    if wanted is None:
        return CreateAnswer(Creation.NOT_IN_FORCE, None, (), now)
    window = min(database.on_time_window, wanted.terms.misfire_grace)
    on_time = rules.is_on_time(request.fire_time, now, window)
    if not on_time or rules.is_swept(request.fire_time, database.sweep):
        return CreateAnswer(Creation.OLD, None, (), now)
    if not request.create:
        return CreateAnswer(Creation.ABSENT, None, (), now)
    return _create(database, lease, request, wanted, now)


def _existing(
    database: MemoryDatabase, lease: LeaseRow, request: CreateRun, run: Run, now: datetime
) -> CreateAnswer:
    if run.status is RunStatus.SKIPPED:
        return CreateAnswer(Creation.SKIPPED, run.run_id, (), now, run.reason)
    if run.status is RunStatus.MISSED:
        return CreateAnswer(Creation.OLD, run.run_id, (), now, run.reason)
    claimed: tuple[Claimed, ...] = ()
    if database.rules.goes_by_pinned(run, request.job_version):
        claimed = claim_items(database, lease, run, request.claim_items, now)
    return CreateAnswer(Creation.EXISTS, run.run_id, claimed, now)


def _in_force(database: MemoryDatabase, request: CreateRun) -> Wanted | None:
    """None: what the creator went by is not what was in force at the fire time."""
    version = database.job_in_force(request.job_name, request.fire_time)
    if version is None or version.spec is None or version.terms is None or not version.terms.enabled:
        return None
    impl = database.impl_in_force(version.spec["impl_spec"], request.fire_time)
    if impl is None or impl.impl is None or not database.rules.is_in_force(request, version, impl):
        return None
    return Wanted(version, version.terms)


def _create(
    database: MemoryDatabase, lease: LeaseRow, request: CreateRun, wanted: Wanted, now: datetime
) -> CreateAnswer:
    reason = _why_held(database, request, now)
    if reason is None:
        reason = _in_the_way(database, request, wanted.terms.overlap)
    if reason is not None:
        record = insert_record(
            database, wanted.version, wanted.terms, RunStatus.SKIPPED, request.fire_time, reason,
            kind=TriggerKind.SCHEDULE, impl_version=request.impl_version,
        )  # fmt: skip
        return CreateAnswer(Creation.SKIPPED, record.run_id, (), now, reason)
    run = insert_run(
        database,
        new_run(
            database, TriggerKind.SCHEDULE, wanted.version, wanted.terms, request.fire_time,
            request.impl_version, request.sharding_total_count,
        ),
        range(request.sharding_total_count),
        request.nodes,
    )  # fmt: skip
    if run.waiting and wanted.terms.overlap is Overlap.REPLACE:
        _stop_older(database, run)
    return CreateAnswer(
        Creation.CREATED, run.run_id, claim_items(database, lease, run, request.claim_items, now), now
    )


def _why_held(database: MemoryDatabase, request: CreateRun, now: datetime) -> str | None:
    rules = database.rules
    for later in reversed(database.job_versions[request.job_name]):
        if later.in_force_from <= request.fire_time:
            break
        if rules.counts(later) and rules.was_switched_off(later, request.fire_time, now):
            return "deleted" if later.spec is None else "disabled"
    for pause in database.pauses.get(request.job_name, ()):
        if rules.is_held(pause, request.fire_time, now):
            return f"paused: {pause.reason}" if pause.reason else "paused"
    return None


def _in_the_way(database: MemoryDatabase, request: CreateRun, overlap: Overlap) -> str | None:
    """The run because of which this fire is skipped: with ``skip`` the live one; with ``replace`` a newer one that is
    live or waits to be, as this fire was created late."""
    live = database.live_run.get(request.job_name)
    found: Run | None = None
    if overlap is Overlap.SKIP:
        found = live
    elif overlap is Overlap.REPLACE and live is not None:
        waiting = [
            run for run in database.waiting.get(request.job_name, ()) if run.kind is TriggerKind.SCHEDULE
        ]
        newest = max(waiting, key=lambda run: run.fire_time, default=live)
        rival = newest if newest.fire_time > request.fire_time else live
        found = rival if rival.fire_time > request.fire_time else None
    if found is None:
        return None
    return f"run {found.run_id} ({run_name(found.job_name, found.fire_time)}) is in the way"


def _stop_older(database: MemoryDatabase, run: Run) -> None:
    """The newest fire replaces the live run, and the scheduled ones that wait for it.

    Those that wait come first, or stopping the live run would hand the row to one of them."""
    reason = f"replaced by {run_name(run.job_name, run.fire_time)}"
    for waiting in list(database.waiting.get(run.job_name, ())):
        if waiting.kind is TriggerKind.SCHEDULE and waiting.fire_time < run.fire_time:
            stop_run(database, waiting, reason)
    stop_run(database, database.live_run[run.job_name], reason)


def new_run(
    database: MemoryDatabase,
    kind: TriggerKind,
    version: JobVersion,
    terms: JobTerms,
    fire_time: datetime,
    impl_version: int,
    sharding_total_count: int,
) -> Run:
    """A run with the next id, not inserted yet."""
    return Run(
        database.number("run"), version.job_name, kind, fire_time, RunStatus.CREATED, version, terms,
        impl_version, sharding_total_count, database.now(), priority=terms.priority,
    )  # fmt: skip


def insert_run(
    database: MemoryDatabase, run: Run, items: Sequence[int], nodes: Sequence[str] | None = None
) -> Run:
    """Insert the run with one PENDING attempt for each of ``items``; it competes for live_run where its
    kind and job do.

    ``nodes``: the node_id that each item is pinned to, by item.
    """
    database.runs[run.run_id] = database.open_runs[run.run_id] = run
    if run.kind in (TriggerKind.SCHEDULE, TriggerKind.MISFIRE):
        database.add_fire(run)
    run.open_items = len(items)
    value = concurrency_value(database, run)
    for item in items:
        key = AttemptKey(run.run_id, run.fire_time, item, 1)
        row = Attempt(key, run, run.created_at, nodes[item] if nodes else None, concurrency_value=value)
        run.attempts[item] = [row]
    database.note(What.RUN_CREATED, run, version=run.version.version, note=run.kind, fires=1)
    has_turn = True
    if competes(run.kind) and run.terms.overlap is not Overlap.ALLOW:
        has_turn = take_live_run(database, run)
    if has_turn:
        database.claimable.update((rows[0], None) for rows in run.attempts.values())
    return run


def insert_record(
    database: MemoryDatabase,
    version: JobVersion,
    terms: JobTerms,
    status: RunStatus,
    fire_time: datetime,
    reason: str,
    *,
    kind: TriggerKind,
    impl_version: int = 0,
    fire_until: datetime | None = None,
    count: int = 1,
) -> Run:
    """Insert a MISSED or SKIPPED record: no attempts, never open."""
    record = new_run(database, kind, version, terms, fire_time, impl_version, terms.sharding_total_count)
    record.status = status
    record.reason = reason
    record.fire_until, record.missed_count = fire_until or fire_time, count
    record.finished_at = record.created_at
    database.runs[record.run_id] = record
    database.add_fire(record)
    database.note(
        What.SKIPPED if status is RunStatus.SKIPPED else What.MISSED, record,
        version=version.version, fire_until=record.fire_until, fires=count, note=reason,
    )  # fmt: skip
    return record
