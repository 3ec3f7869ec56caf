"""What people order: trigger, stop, rerun, pause, resume, apply. Each leaves a line in the audit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.runs import AttemptStatus, TriggerKind
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import matches
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.closing import stop_run
from shardkeeper.memory.creation import insert_run, new_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import JobTerms, JobVersion, PauseRecord, Run, flow_of, last_real
from shardkeeper.memory.storable import why_not_storable
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
    version, terms = triggerable(database, job, now)
    nodes = nodes_for(database, terms)
    total = terms.sharding_total_count if nodes is None else len(nodes)
    if item is not None and not 0 <= item < total:
        raise OrderRefused(f"{job} has no item {item}: give one from 0 to {total - 1}")
    _refuse_unstorable(parameters)
    impl = impl_now(database, version, now)
    run = new_run(database, TriggerKind.MANUAL, version, terms, fire_time or now, impl, total)
    run.parameters, run.requested_by = parameters, by
    insert_run(database, run, range(total) if item is None else [item], nodes)
    for rows in run.attempts.values():
        rows[0].not_before = rows[0].claimable_from = max(run.fire_time, now)
    audit(database, by, "trigger", job, run.run_id)
    database.tell(Hint("work"))
    return run.run_id


def triggerable(database: MemoryDatabase, job: str, now: datetime) -> tuple[JobVersion, JobTerms]:
    """The version under which something ordered now runs. Raises OrderRefused."""
    version = database.job_in_force(job, now)
    if version is None or version.terms is None:
        raise OrderRefused(f"there is no job {job}: `shardkeeper jobs` lists them")
    if not version.terms.enabled:
        raise OrderRefused(f"{job} is disabled: enable it first")
    return version, version.terms


def impl_now(database: MemoryDatabase, version: JobVersion, now: datetime) -> int:
    """The version of its ImplSpec that is in force now. Raises OrderRefused."""
    assert version.spec is not None
    name = version.spec["impl_spec"]
    impl = database.impl_in_force(name, now)
    if impl is None or impl.impl is None:
        raise OrderRefused(f"the ImplSpec {name} of {version.job_name} has no valid version: mend it first")
    return impl.version


def nodes_for(database: MemoryDatabase, terms: JobTerms) -> list[str] | None:
    """For each_node: the nodes that are eligible as far as the store knows; None for other strategies. Raises
    OrderRefused."""
    if terms.strategy is not Strategy.EACH_NODE:
        return None
    nodes = sorted(
        lease.who.node_id
        for lease in database.newest_lease.values()
        if lease.state is LeaseState.ACTIVE and matches(lease.who.labels, terms.node_selector)
    )
    if not nodes:
        raise OrderRefused("no node is eligible now: start one that has the labels of node_selector")
    return nodes


def _refuse_unstorable(parameters: Mapping[str, Any]) -> None:
    problem = why_not_storable(parameters)
    if problem is not None:
        raise OrderRefused(f"the parameters cannot be stored: {problem}")


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
    now = database.now()
    version, terms = triggerable(database, old.job_name, now)
    if same_version:
        version, terms = old.version, old.terms
    nodes = nodes_for(database, terms)
    total = terms.sharding_total_count if nodes is None else len(nodes)
    impl = old.impl_version if same_version and old.impl_version else impl_now(database, version, now)
    _refuse_unstorable(parameters)
    run = new_run(database, TriggerKind.RERUN, version, terms, old.fire_time, impl, total)
    run.parameters = {**old.parameters, **parameters}
    run.priority = old.priority
    run.flow = flow_of(old)
    run.rerun_of, run.requested_by = old.run_id, by
    insert_run(database, run, range(total), nodes)
    _take_checkpoints(old, run)
    audit(database, by, "rerun", run_id, run.run_id)
    database.tell(Hint("work"))
    return run.run_id


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
