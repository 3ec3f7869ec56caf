"""Submissions: work on demand, by key once, for whoever has room (rule 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.runs import TriggerKind
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.ordering import (
    Ordered,
    check_fire_time,
    check_parameters,
    insert_ordered,
    ordered_now,
)
from shardkeeper.memory.storable import why_not_storable
from shardkeeper.ports.specs import Hint

LEAST_PRIORITY, MOST_PRIORITY = -100, 100
LONGEST_KEY = 200


@dataclass(frozen=True, slots=True)
class _Call:
    """What all submissions of one call have in common. ``priority`` 0: the job's."""

    of: Ordered
    priority: int
    at: datetime | None
    by: str


def submit(
    database: MemoryDatabase,
    job: str,
    parameters: Mapping[str, Any],
    key: str | None,
    priority: int,
    at: datetime | None,
    by: str,
) -> int:
    """See ``OperatorStore.submit``."""
    call = _begun(database, job, priority, at, by)
    _check(database, call, parameters, key)
    run_id = _submit(database, call, parameters, key)
    database.tell(Hint("work"))
    return run_id


def submit_many(
    database: MemoryDatabase,
    job: str,
    parameters: Sequence[Mapping[str, Any]],
    keys: Sequence[str] | None,
    priority: int,
    at: datetime | None,
    by: str,
) -> list[int]:
    """See ``OperatorStore.submit_many``."""
    if keys is not None and len(keys) != len(parameters):
        raise OrderRefused(
            f"there are {len(parameters)} submissions and {len(keys)} keys: give a key for each"
        )
    call = _begun(database, job, priority, at, by)
    of_each: Sequence[str | None] = [None] * len(parameters) if keys is None else keys
    given = list(zip(parameters, of_each, strict=True))
    for place, (each, key) in enumerate(given, 1):
        try:
            _check(database, call, each, key)
        except OrderRefused as error:
            raise OrderRefused(f"submission {place}: {error}") from error
    ids = [_submit(database, call, each, key) for each, key in given]
    if ids:
        database.tell(Hint("work"))
    return ids


def _begun(database: MemoryDatabase, job: str, priority: int, at: datetime | None, by: str) -> _Call:
    if not LEAST_PRIORITY <= priority <= MOST_PRIORITY:
        raise OrderRefused(f"the priority {priority} is not one of -100 to 100: give one of them")
    if at is not None:
        check_fire_time(at)
    return _Call(ordered_now(database, job), priority, at, by)


def _check(database: MemoryDatabase, call: _Call, parameters: Mapping[str, Any], key: str | None) -> None:
    if key is not None:
        if not 1 <= len(key) <= LONGEST_KEY:
            raise OrderRefused("the idempotency key is not 1 to 200 characters long: shorten it")
        problem = why_not_storable(key)
        if problem is not None:
            raise OrderRefused(f"the idempotency key cannot be stored: {problem}")
    check_parameters(database, call.of, parameters)


def _submit(database: MemoryDatabase, call: _Call, parameters: Mapping[str, Any], key: str | None) -> int:
    job = call.of.version.job_name
    known = None if key is None else database.idempotency_keys.get((job, key))
    if database.rules.is_submitted(known):
        assert known is not None
        return known
    now = database.now()
    run = insert_ordered(
        database,
        TriggerKind.SUBMIT,
        call.of,
        call.at or now,
        max(call.at or now, now),
        parameters=parameters,
        priority=call.priority or call.of.terms.priority,
        by=call.by,
    )
    run.flow = f"run:{run.run_id}"
    if key is not None:
        run.idempotency_key = key
        database.idempotency_keys[(job, key)] = run.run_id
    return run.run_id
