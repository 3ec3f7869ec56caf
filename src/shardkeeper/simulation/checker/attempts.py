"""At most one live attempt and at most one recorded success per run and item (promise 1); tries are bounded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from shardkeeper.domain.runs import AttemptStatus, TriggerKind
from shardkeeper.domain.specs import Strategy
from shardkeeper.memory.history import Entry, What
from shardkeeper.memory.rows import Attempt, Run
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.tasks import CANCELLED
from shardkeeper.simulation.world import World

PROMISE = "attempts"
_TRIED = (AttemptStatus.FAILED, AttemptStatus.TIMED_OUT)
GOES_ON = (What.CLAIMED, What.RETRIED, What.REISSUED, What.GIVEN_BACK)


@dataclass(slots=True)
class _Item:
    """What the history has told of one item of a run so far."""

    attempt: int = 1
    claim_no: int = 0
    held_by: str | None = None
    successes: int = 0


def check(world: World) -> Iterator[Broken]:
    """Goes once through the history, then over the tables."""
    items: dict[tuple[int, int], _Item] = {}
    stopping: set[int] = set()
    for entry in world.database.history.entries:
        if entry.what is What.STOP_ORDERED and entry.run_id is not None:
            stopping.add(entry.run_id)
        if entry.run_id is None or entry.item is None:
            continue
        if entry.run_id in stopping and entry.what in GOES_ON:
            yield Broken(PROMISE, f"{entry.what} after the order to stop: {_name(entry)}", _about(entry))
        if entry.what is What.SUPERSEDED and _was_answered(world, entry):
            yield Broken(PROMISE, f"a repeated outcome was called superseded: {_name(entry)}", _about(entry))
        item = items.setdefault((entry.run_id, entry.item), _Item())
        wrong = _step(item, entry)
        if wrong is not None:
            yield Broken(PROMISE, f"{wrong}: {_name(entry)}", _about(entry))
    for run in world.database.runs.values():
        yield from _bounds(run)
        yield from _rows(run)


def _step(item: _Item, entry: Entry) -> str | None:
    match entry.what:
        case What.CLAIMED:
            return _claimed(item, entry)
        case What.ENDED:
            was, item.held_by = item.held_by, None
            item.successes += entry.note == AttemptStatus.COMPLETED
            if item.successes > 1:
                return "a second success was recorded"
            return None if was is not None else "an outcome was recorded of what nobody held"
        case What.SAVED if (item.held_by, item.claim_no) != (entry.incarnation, entry.claim_no):
            return f"{entry.incarnation} saved a checkpoint of what it does not hold"
        case What.LOST | What.GIVEN_BACK:
            item.held_by = None
        case What.CLOSED_PENDING:
            return None if item.held_by is None else "an attempt that was held was closed as pending"
        case What.COMPENSATING:
            if item.held_by is not None:
                return "was to be rolled back beside a live attempt"
            item.attempt, item.claim_no, item.successes = item.attempt + 1, 0, 0
        case What.RETRIED | What.REISSUED:
            if item.held_by is not None:
                return "a next attempt was made beside a live one"
            item.attempt, item.claim_no = item.attempt + 1, 0
            return None if entry.attempt == item.attempt else "attempts are not numbered one by one"
    return None


def _claimed(item: _Item, entry: Entry) -> str | None:
    if item.held_by is not None:
        return f"claimed by {entry.incarnation} while {item.held_by} held it"
    if item.successes:
        return "claimed after it had succeeded"
    if entry.claim_no is None or entry.claim_no <= item.claim_no:
        return f"claim_no did not grow (from {item.claim_no} to {entry.claim_no})"
    item.held_by, item.claim_no = entry.incarnation, entry.claim_no
    return None


def _bounds(run: Run) -> Iterator[Broken]:
    about = f"run_id={run.run_id},"
    parts = (
        (item, [row for row in rows if row.compensates is undoing])
        for item, rows in run.attempts.items()
        for undoing in (False, True)
    )
    for item, rows in ((item, rows) for item, rows in parts if rows):
        tried = sum(row.status in _TRIED for row in rows)
        lost = sum(row.status is AttemptStatus.LOST for row in rows)
        if tried > run.terms.max_attempts:
            yield Broken(PROMISE, f"item {item} was tried {tried} times, {run.terms.max_attempts} allowed")
        if lost > run.terms.max_takeovers + 1:
            yield Broken(PROMISE, f"item {item} was lost {lost} times, {run.terms.max_takeovers} allowed")
        if not run.stop_requested and (wrong := _given_up(run, rows[-1], tried, lost)) is not None:
            yield Broken(PROMISE, f"item {item} of run {run.run_id} was {wrong}", about)
    if run.attempts and run.kind is not TriggerKind.MANUAL and len(run.attempts) != run.sharding_total_count:
        what = f"run {run.run_id} has the items {sorted(run.attempts)} of {run.sharding_total_count}"
        yield Broken(PROMISE, what, about)


def _given_up(run: Run, last: Attempt, tried: int, lost: int) -> str | None:
    """What nobody ordered to stop goes on as long as tries and takeovers are left: counted here, not by its columns."""
    terms, spec = run.terms, run.version.spec or {}
    hopeless = last.error_type in ("NoEligibleNode", *spec.get("give_up_on", ()))
    if last.status in _TRIED and not hopeless and tried < terms.max_attempts:
        return f"given up after {tried} of {terms.max_attempts} tries"
    goes_on = terms.failover and terms.strategy is not Strategy.EACH_NODE
    if last.status is AttemptStatus.LOST and goes_on and lost <= terms.max_takeovers:
        return f"given up after {lost - 1} of {terms.max_takeovers} takeovers"
    if last.status is AttemptStatus.STOPPED and last.error_message != CANCELLED:
        return f"stopped, and nobody had ordered that ({last.error_message})"
    return None


def _rows(run: Run) -> Iterator[Broken]:
    """What must be true of each row by itself."""
    for row in (row for rows in run.attempts.values() for row in rows):
        name = f"run {run.run_id} of {run.job_name}, item {row.key.item}, attempt {row.key.attempt}"
        about = f"run_id={run.run_id},"
        if row.pinned_node is not None and row.node_id not in (None, row.pinned_node):
            yield Broken(PROMISE, f"{name} is {row.pinned_node}'s and ran at {row.node_id}", about)
        ran = row.status in (AttemptStatus.COMPLETED, AttemptStatus.TIMED_OUT)
        if (
            ran
            and row.not_before is not None
            and row.claimed_at is not None
            and row.claimed_at < row.not_before
        ):
            yield Broken(PROMISE, f"{name} was claimed before {row.not_before}", about)
        if row.status is AttemptStatus.COMPLETED and row.checkpoint is not None:
            yield Broken(PROMISE, f"{name} is COMPLETED and keeps its checkpoint", about)


def _was_answered(world: World, entry: Entry) -> bool:
    """Whether this very claim's outcome stands in the row."""
    rows = world.database.runs[entry.run_id or 0].attempts.get(entry.item or 0, [])
    row = rows[(entry.attempt or 1) - 1]
    return row.answered and (row.claim_no, row.incarnation) == (entry.claim_no, entry.incarnation)


def _about(entry: Entry) -> str:
    return f"run_id={entry.run_id},"


def _name(entry: Entry) -> str:
    return f"run {entry.run_id} of {entry.job_name}, item {entry.item}, attempt {entry.attempt} at {entry.at}"
