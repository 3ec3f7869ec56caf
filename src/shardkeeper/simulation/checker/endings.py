"""Everything that was begun comes to its end, and the store is left clean (promises 1, 2 and rule 5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime

from shardkeeper.domain.policies.closing import closing_status
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.closing import DELETED
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Run, last_real
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.world import World

PROMISE = "endings"
SWEEP_BEHIND_S = 20.0
"""A few rounds of the sweep, and a change of who holds it."""


def check(world: World) -> Iterator[Broken]:
    """After the world has come to rest."""
    database = world.database
    for run in database.runs.values():
        yield from _check_run(run)
    left: dict[str, Sequence[object]] = {
        "open runs": [run.run_id for run in database.open_runs.values()],
        "live_run rows": list(database.live_run),
        "waiting runs": [run.run_id for queue in database.waiting.values() for run in queue],
        "claimable attempts": [row.key for row in database.claimable],
        "held attempts": [row.key for rows in database.held.values() for row in rows],
    }
    for what, names in left.items():
        if names:
            yield Broken(PROMISE, f"{what} are left: {names[:5]}", _about(names[0]))
    yield from _deleted(world)
    behind_s = (database.now() - database.sweep.watermark).total_seconds()
    if behind_s > world.conditions.on_time_window_s + SWEEP_BEHIND_S:
        yield Broken(PROMISE, f"nothing was swept for {behind_s:.0f} s")
    closed = Counter(entry.run_id for entry in database.history.of(What.RUN_CLOSED))
    for run_id, times in closed.items():
        if times > 1:
            yield Broken(PROMISE, f"run {run_id} was closed {times} times", f"run_id={run_id},")


def _deleted(world: World) -> Iterator[Broken]:
    """With its job goes what was never claimed, and nothing else (rule 15)."""
    first_claim: dict[int, datetime] = {}
    for entry in world.database.history.of(What.CLAIMED):
        first_claim.setdefault(entry.run_id or 0, entry.at)
    deletions = [edit for edit in world.people.diary.edits if edit.row is None]
    for run in world.database.runs.values():
        claimed = first_claim.get(run.run_id)
        if run.reason == DELETED and run.attempts and claimed is not None:
            yield _broken(run, "was claimed, and closed because its job was deleted")
        for edit in deletions:
            if edit.job_name == run.job_name and claimed is not None and run.created_at < edit.at < claimed:
                yield _broken(run, f"was claimed for the first time after its job was deleted at {edit.at}")


def _check_run(run: Run) -> Iterator[Broken]:
    if not run.attempts:
        return
    last = [last_real(rows).status for rows in run.attempts.values()]
    still_open = any(rows[-1].status.is_open for rows in run.attempts.values())
    if run.status.is_open != still_open:
        yield _broken(run, f"is {run.status} while its items are {_counted(last)}")
    elif not still_open and (any(map(_is_open, last)) or run.status is not closing_status(last)):
        yield _broken(run, f"is {run.status}, with items {_counted(last)}")
    if not still_open and run.open_items != 0:
        yield _broken(run, f"counts {run.open_items} open items")
    for rows in run.attempts.values():
        if any(row.status.is_open for row in rows[:-1]):
            yield _broken(run, f"has an open attempt of item {rows[0].key.item} behind its last")


def _is_open(status: AttemptStatus) -> bool:
    return status.is_open


def _counted(statuses: list[AttemptStatus]) -> str:
    return ", ".join(f"{count} {status}" for status, count in sorted(Counter(statuses).items()))


def _broken(run: Run, what: str) -> Broken:
    return Broken(PROMISE, f"run {run.run_id} of {run.job_name} {what}", f"run_id={run.run_id},")


def _about(name: object) -> str:
    return f"run_id={getattr(name, 'run_id', name)}," if not isinstance(name, str) else name
