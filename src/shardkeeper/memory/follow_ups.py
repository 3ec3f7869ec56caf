"""Follow-ups: what is started by the end of others' runs (rule 5), at the end of the call that closed them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.runs import AttemptStatus, RunStatus, TriggerKind
from shardkeeper.memory.creation import new_run
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.ordering import insert_ordered, ordered_now
from shardkeeper.memory.rows import FollowGate, JobTerms, JobVersion, Run, flow_of
from shardkeeper.ports.specs import Hint

MOST_BYTES = 990_000
"""Of what a follow-up is told, as JSON: what would take more is left out, the values first."""


def start_followers(database: MemoryDatabase) -> None:
    """Start what follows the runs that were closed since it was called last."""
    closed, database.closed = database.closed, []
    begun = False
    for run in closed:
        for version, terms in list(_followers(database, run)):
            arrived = _arrived(database, version.job_name, terms.follows, run)
            if arrived is not None:
                _start(database, version, terms, arrived, run)
                begun = True
    if begun:
        database.tell(Hint("work"))


def _followers(database: MemoryDatabase, run: Run) -> Iterator[tuple[JobVersion, JobTerms]]:
    """By what is in force now; ``followers`` of the tables has all that ever followed."""
    for name in sorted(database.followers.get(run.job_name, ())):
        version = database.job_in_force(name, database.now())
        terms = None if version is None else version.terms
        if version is not None and terms is not None and run.job_name in terms.follows.get("jobs", ()):
            yield version, terms


def _arrived(
    database: MemoryDatabase, follower: str, follows: Mapping[str, Any], run: Run
) -> dict[str, Run] | None:
    """The runs that start the follower, by job; None: not yet, or not by this."""
    condition = follows.get("on", "completed")
    if condition == "failed":
        return {run.job_name: run} if run.status is RunStatus.FAILED else None
    if len(follows["jobs"]) == 1:
        arrived = {run.job_name: run}
    else:
        key = (follower, flow_of(run))
        gate = database.gates.setdefault(key, FollowGate({}, database.now()))
        gate.arrived[run.job_name] = run
        arrived = dict(gate.arrived)
        if not database.rules.gate_opens(follows, arrived):
            return None
        # a further round, after reruns, begins with nothing
        del database.gates[key]
    return arrived if condition == "ended" or run.status is RunStatus.COMPLETED else None


def _start(
    database: MemoryDatabase, version: JobVersion, terms: JobTerms, arrived: Mapping[str, Run], parent: Run
) -> None:
    """Insert the run that follows, or, where nothing can be run, a SKIPPED record that says why."""
    try:
        of = ordered_now(database, version.job_name)
    except OrderRefused as refused:
        _insert(database, version, terms, parent, reason=str(refused))
        return
    insert_ordered(
        database,
        TriggerKind.FOLLOW_UP,
        of,
        _fire_time(database, parent),
        database.now(),
        parameters=_parameters(arrived),
        priority=terms.priority,
        by=None,
        flow=flow_of(parent),
        parent_run=parent.run_id,
    )


def _insert(database: MemoryDatabase, version: JobVersion, terms: JobTerms, parent: Run, reason: str) -> None:
    fire_time = _fire_time(database, parent)
    record = new_run(
        database, TriggerKind.FOLLOW_UP, version, terms, fire_time, 0, terms.sharding_total_count
    )
    record.status, record.reason, record.finished_at = RunStatus.SKIPPED, reason, record.created_at
    record.flow, record.parent_run = flow_of(parent), parent.run_id
    database.runs[record.run_id] = record
    database.note(What.NOT_FOLLOWED, record, version=version.version, note=reason)


def _fire_time(database: MemoryDatabase, parent: Run) -> datetime:
    """Of a run that was stopped before its time it lies ahead, and nothing begins before its own."""
    return min(parent.fire_time, database.now())


def _parameters(arrived: Mapping[str, Run]) -> dict[str, Any]:
    told = {job: _told(run) | {"values": _values(run)} for job, run in sorted(arrived.items())}
    if _bytes(told) > MOST_BYTES:
        told = {job: _told(run) | {"values_left_out": True} for job, run in sorted(arrived.items())}
    if _bytes(told) > MOST_BYTES:
        told = {job: each | {"result": None, "result_left_out": True} for job, each in told.items()}
    return {"follow_up": told}


def _told(run: Run) -> dict[str, Any]:
    return {"run_id": run.run_id, "status": str(run.status), "result": run.result}


def _values(run: Run) -> list[dict[str, Any]]:
    return [
        {"item": item, "key": value.key, "value": value.value, "weight": value.weight}
        for item, rows in sorted(run.attempts.items())
        for row in rows
        if row.status is AttemptStatus.COMPLETED
        for value in sorted(row.values, key=lambda each: each.key)
    ]


def _bytes(told: object) -> int:
    return len(json.dumps(told, ensure_ascii=False).encode())
