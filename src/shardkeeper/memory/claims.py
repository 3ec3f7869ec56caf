"""Claiming: PENDING to RUNNING under one incarnation, each time with a higher ``claim_no`` (rule 4)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime, timedelta
from heapq import nsmallest
from itertools import islice

from shardkeeper.domain.attempts import Claimed, Pending, RunHead
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.runs import AttemptStatus, RunStatus
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import PULLED, What
from shardkeeper.memory.limits import SHOWN_BEYOND, Room
from shardkeeper.memory.rows import Attempt, LeaseRow, Run

_SECOND = timedelta(seconds=1)
_UNPULLED = timedelta(seconds=5)
_HEADS = 100


def claim_items(
    database: MemoryDatabase, lease: LeaseRow, run: Run, items: Iterable[int], now: datetime
) -> tuple[Claimed, ...]:
    """Claim the open attempt of each of these items of a run; those already held by the caller are in the
    answer too."""
    found = (
        claim_one(database, lease, run.attempts[item][-1], now) for item in items if item in run.attempts
    )
    return tuple(each for each in found if each is not None)


def claim_one(database: MemoryDatabase, lease: LeaseRow, row: Attempt, now: datetime) -> Claimed | None:
    """None: not to be had."""
    who = lease.who
    if database.rules.is_callers(row, who.incarnation):
        return as_claimed(row)
    if not database.rules.is_claimable(row, who.node_id, now) or not Room(database, now).admits(row):
        return None
    run = row.run
    if run.status is RunStatus.CREATED:
        run.status = RunStatus.RUNNING
        run.started_at = now
    return _take(database, lease, row, now)


def pull_for(
    database: MemoryDatabase, lease: LeaseRow, most: int, not_jobs: Collection[str]
) -> tuple[Claimed, ...]:
    """Attempts without an owner become the caller's, best first by their claim keys. Their runs are RUNNING once it is
    told that they began."""
    now = database.now()
    node_id, rules = lease.who.node_id, database.rules
    database.note(What.PULL, incarnation=lease.who.incarnation, fires=most, note=" ".join(sorted(not_jobs)))
    ready = (
        row
        for row in rules.to_pull(database.claimable, database.held)
        if rules.is_pullable(row, not_jobs, node_id, now)
    )
    in_order = sorted(ready, key=rules.rank)
    room = Room(database, now)
    starting = islice((row for row in in_order if room.admits(row)), most)
    return tuple(_take(database, lease, row, now, PULLED) for row in starting)


def _take(
    database: MemoryDatabase, lease: LeaseRow, row: Attempt, now: datetime, how: str | None = None
) -> Claimed:
    who = lease.who
    row.status = AttemptStatus.RUNNING
    row.claim_no = database.rules.next_claim_no(row.claim_no)
    row.answered = False
    row.node_id, row.incarnation = who.node_id, who.incarnation
    row.claimed_at, row.started_at = now, None
    row.phase = row.progress = row.progress_message = None
    database.claimable.pop(row, None)
    database.held.setdefault(who.incarnation, {})[row] = None
    row.run.ever_claimed = True
    database.note(What.CLAIMED, row=row, note=how)
    return as_claimed(row)


def as_claimed(row: Attempt) -> Claimed:
    run = row.run
    head = RunHead(
        run.job_name,
        run.kind,
        run.version.version,
        run.impl_version,
        run.sharding_total_count,
        run.parameters,
    )
    return Claimed(
        row.key,
        row.claim_no,
        head,
        row.checkpoint,
        row.tries,
        row.takeovers,
        run.stop_requested,
        row.compensates,
    )


def claimable_for(database: MemoryDatabase, lease: LeaseRow, limit: int) -> list[Pending]:
    """Longest waiting first; of what waits for a limit only what might get it. Beside ``limit`` of those with an owner
    the heads of each job's queue without owners, where nobody pulled them for a while."""
    now = database.now()
    room = Room(database, now, SHOWN_BEYOND)
    node_id = lease.who.node_id
    rules = database.rules
    ready = (
        row
        for row in database.claimable
        if (row.claim_key is None or now - row.claimable_from >= _UNPULLED)
        and rules.is_claimable(row, _reader(database, row, node_id), now)
    )
    in_order = sorted(ready, key=_longest_waiting)
    owned = islice((row for row in in_order if row.claim_key is None and room.takes(row)), limit)
    shown = sorted([*owned, *_heads(in_order)], key=_longest_waiting)
    return [_as_pending(database, row, now) for row in shown]


def _heads(rows: Iterable[Attempt]) -> Iterator[Attempt]:
    queues: dict[str, list[tuple[datetime, int, Attempt]]] = {}
    for place, row in enumerate(rows):
        if row.claim_key is not None:
            queues.setdefault(row.run.job_name, []).append((row.claim_key, place, row))
    for queue in queues.values():
        yield from (row for _, _, row in nsmallest(_HEADS, queue))


def _longest_waiting(row: Attempt) -> tuple[datetime, int, int]:
    return row.claimable_from, row.key.run_id, row.key.item


def _reader(database: MemoryDatabase, row: Attempt, node_id: str) -> str:
    """What is pinned to a node that takes no work is shown to all, or nobody would ever close it."""
    pinned = row.pinned_node
    if pinned is None or pinned == node_id:
        return node_id
    lease = database.newest_lease.get(pinned)
    return node_id if lease is not None and lease.state is LeaseState.ACTIVE else pinned


def _as_pending(database: MemoryDatabase, row: Attempt, now: datetime) -> Pending:
    run = row.run
    return Pending(
        row.key,
        run.job_name,
        run.kind,
        run.version.version,
        run.impl_version,
        run.sharding_total_count,
        row.pinned_node,
        (now - row.claimable_from) / _SECOND,
        tuple(sorted(declines_of(database, run.job_name, run.version.version, run.impl_version))),
        owned=row.claim_key is None,
    )


def declines_of(
    database: MemoryDatabase, job_name: str, job_version: int, impl_version: int | None
) -> dict[str, str]:
    """Who cannot run the job under these versions, and why."""
    return {
        node_id: reason
        for (node_id, job_no, impl_no), reason in database.declined.get(job_name, {}).items()
        if job_no in (0, job_version) and impl_no in (0, impl_version)
    }
