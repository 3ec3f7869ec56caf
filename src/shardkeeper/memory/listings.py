"""Rows as the faces list them: dictionaries keyed by column name."""

from __future__ import annotations

from collections import Counter
from typing import Any

from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.naming import run_name
from shardkeeper.domain.runs import AttemptStatus, RunStatus, TriggerKind
from shardkeeper.memory.claims import declines_of
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Attempt, ImplVersion, JobVersion, LeaseRow, Run
from shardkeeper.memory.terms import as_json
from shardkeeper.ports.operator import Row

_ATTEMPT_COLUMNS = (
    "status", "node_id", "incarnation", "pinned_node", "phase", "not_before", "tries", "takeovers", "claim_no",
    "claim_key", "limited", "pool", "concurrency_value", "compensable", "compensates",
    "claimed_at", "started_at", "finished_at", "initialize_ms", "calculate_ms", "validate_ms", "progress",
    "progress_message", "checkpoint", "result", "error_type", "error_message", "traceback", "log", "code_version",
)  # fmt: skip
_RUN_COLUMNS = (
    "job_name", "fire_time", "fire_until", "missed_count", "status", "reason", "impl_version",
    "sharding_total_count", "parameters", "priority", "rerun_of", "requested_by", "result", "created_at",
    "started_at", "finished_at", "open_items", "stop_requested", "flow", "compensating", "idempotency_key",
    "parent_run", "waiting",
)  # fmt: skip


def job_listing(database: MemoryDatabase, name: str) -> Row:
    """job_spec's columns and job_status's."""
    now = database.now()
    state = database.job_state(name)
    versions = database.job_versions[name]
    pause = next(
        (
            each
            for each in database.pauses.get(name, ())
            if each.since <= now and (each.until is None or each.until > now)
        ),
        None,
    )
    row = {column: as_json(value) for column, value in database.jobs[name].items()}
    return row | {
        "version": versions[-1].version,
        "problem": _problem(database, name),
        "paused": pause is not None,
        "paused_reason": None if pause is None else pause.reason,
        "last_run": state.last_run,
        "last_status": state.last_status,
        "last_finished_at": state.last_finished_at,
        "failures_in_a_row": state.failures_in_a_row,
    }


def _problem(database: MemoryDatabase, name: str) -> str | None:
    """What is wrong with the newest version, with that of its ImplSpec, or why nodes decline the job."""
    impl_spec = str(database.jobs[name]["impl_spec"])
    newest: list[JobVersion | ImplVersion] = [database.job_versions[name][-1]]
    newest += database.impl_versions.get(impl_spec, [])[-1:]
    for version in newest:
        if version.problem is not None:
            return version.problem
    declined = declines_of(database, name, newest[0].version, newest[-1].version)
    if not declined:
        return None
    return "; ".join(f"{node_id}: {reason}" for node_id, reason in sorted(declined.items()))


def run_listing(run: Run) -> Row:
    row: Row = {"id": run.run_id, "name": run_name(run.job_name, run.fire_time), "trigger_kind": run.kind}
    row |= {column: getattr(run, column) for column in _RUN_COLUMNS}
    return row | {"job_version": run.version.version}


def run_state(run: Run) -> Row:
    """What somebody who waits for the run looks at."""
    failed = first_failed(run) if run.status is RunStatus.FAILED else None
    return {
        "id": run.run_id,
        "job_name": run.job_name,
        "status": run.status,
        "reason": run.reason,
        "result": run.result,
        "error_type": failed and failed.error_type,
        "error_message": failed and failed.error_message,
        "failed_item": failed and failed.key.item,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
    }


def first_failed(run: Run) -> Attempt | None:
    """The last attempt of the first item that ended badly; rolling back does not count."""
    for item in sorted(run.attempts):
        last = [row for row in run.attempts[item] if not row.compensates][-1]
        if last.status in (AttemptStatus.FAILED, AttemptStatus.TIMED_OUT, AttemptStatus.LOST):
            return last
    return None


def run_in_full(database: MemoryDatabase, run: Run) -> Row:
    """job_run's columns with ``shard_runs``, ``values`` and ``follow_ups``."""
    rows = [row for item in sorted(run.attempts) for row in run.attempts[item]]
    values: list[Any] = [
        {"item": row.key.item, "key": value.key, "value": value.value, "weight": value.weight}
        for row in rows
        if row.status is AttemptStatus.COMPLETED
        for value in row.values
    ]
    return run_listing(run) | {
        "shard_runs": [attempt_listing(row) for row in rows],
        "values": values,
        "follow_ups": _follow_ups(database, run),
    }


def _follow_ups(database: MemoryDatabase, run: Run) -> list[Row]:
    """Those that its end started, or had a part in starting."""
    return [
        {"id": each.run_id, "name": run_name(each.job_name, each.fire_time), "status": each.status}
        for each in database.runs.values()
        if each.kind is TriggerKind.FOLLOW_UP
        and (
            each.parent_run == run.run_id
            or each.parameters.get("follow_up", {}).get(run.job_name, {}).get("run_id") == run.run_id
        )
    ]


def attempt_listing(row: Attempt) -> Row:
    listing: Row = {
        "run_id": row.key.run_id,
        "fire_time": row.key.fire_time,
        "item": row.key.item,
        "attempt": row.key.attempt,
    }
    listing |= {column: getattr(row, column) for column in _ATTEMPT_COLUMNS}
    refused = [{"key": each.key, "value": each.value, "weight": each.weight} for each in row.refused_values]
    return listing | {"refused_values": refused or None}


def node_listing(database: MemoryDatabase, lease: LeaseRow) -> Row:
    """A row of the ``node`` view."""
    who = lease.who
    return {
        "node_id": who.node_id,
        "incarnation": who.incarnation,
        "host": who.host,
        "pid": who.pid,
        "weight": who.weight,
        "labels": dict(who.labels),
        "code_version": who.version,
        "state": lease.state,
        "beat": lease.beat,
        "joined_at": lease.joined_at,
        "beaten_at": lease.beaten_at,
        "running": len(database.held.get(who.incarnation, ())) if lease.state is not LeaseState.DEAD else 0,
    }


def pool_listing(database: MemoryDatabase) -> list[Row]:
    """The rows of the ``pool_status`` view."""
    now = database.now()
    newest = [(run, rows[-1]) for run in database.open_runs.values() for rows in run.attempts.values()]
    running = Counter(row.pool for _, row in newest if row.status is AttemptStatus.RUNNING)
    waiting = Counter(
        database.jobs.get(run.job_name, {}).get("pool")
        for run, row in newest
        if row.status is AttemptStatus.PENDING and not run.waiting and (row.not_before or now) <= now
    )
    return [
        {"name": name, "size": size, "running": running[name], "waiting": waiting[name]}
        for name, size in sorted(database.pools.items())
    ]
