"""The one routine for every end of an item, and what follows when it was the last of its run.

Whoever ends an attempt (an outcome, a takeover, a stop, a delete, nobody eligible) calls ``end_attempt``, and
then either ``next_attempt`` or ``close_item``: an item is open until its last attempt has ended without a
next.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shardkeeper.domain.attempts import POINT_OF_PRIORITY
from shardkeeper.domain.runs import AttemptKey, AttemptStatus, RunStatus, TriggerKind
from shardkeeper.memory.alerting import alert_of_failure, alert_of_recovery
from shardkeeper.memory.compensation import begin_undoing, reason_after_undoing
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt, Run, last_real

DELETED = "deleted"


def end_attempt(database: MemoryDatabase, row: Attempt, status: AttemptStatus, now: datetime) -> None:
    """Give the attempt its terminal status; nobody can claim or hold it any more."""
    row.status = status
    row.finished_at = row.finished_at or now
    if not database.rules.keeps_checkpoint(status):
        row.checkpoint = None
    let_go(database, row)


def let_go(database: MemoryDatabase, row: Attempt) -> None:
    """Take the attempt out of the indexes of what is claimable and held."""
    database.claimable.pop(row, None)
    if row.incarnation is not None:
        database.held.get(row.incarnation, {}).pop(row, None)


def next_attempt(
    database: MemoryDatabase, row: Attempt, now: datetime, *, tries: int, takeovers: int, delay_s: float = 0.0
) -> Attempt:
    """Insert the item's next attempt, PENDING, which starts from the checkpoint of ``row``; what was lost keeps its
    place in the queue, what is tried again waits anew."""
    not_before = now + timedelta(seconds=delay_s) if delay_s > 0 else None
    key = AttemptKey(row.key.run_id, row.key.fire_time, row.key.item, row.key.attempt + 1)
    follower = Attempt(
        key,
        row.run,
        not_before or now,
        row.pinned_node,
        tries,
        takeovers,
        row.checkpoint if database.rules.carries_checkpoint(row) else None,
        not_before=not_before,
        claim_key=_place(row, takeovers, not_before or now) if database.rules.stays_unowned(row) else None,
        concurrency_value=row.concurrency_value,
        compensates=row.compensates,
    )
    row.run.attempts[key.item].append(follower)
    database.claimable[follower] = None
    return follower


def moved_claim_key(row: Attempt, not_before: datetime) -> datetime | None:
    """The place in the queue of what waits anew: by when it waits from, with its run's priority."""
    return None if row.claim_key is None else not_before - row.run.priority * POINT_OF_PRIORITY


def _place(row: Attempt, takeovers: int, not_before: datetime) -> datetime | None:
    """What was lost keeps its place in the queue; what is tried again waits anew."""
    return row.claim_key if takeovers > row.takeovers else moved_claim_key(row, not_before)


def close_item(database: MemoryDatabase, row: Attempt, now: datetime) -> RunStatus | None:
    """The item has no next attempt: count it, and close the run with its last item (then the run's status
    is returned)."""
    run = row.run
    run.open_items -= 1
    if row.compensates:
        pass  # how the items ended stands already
    elif row.status is AttemptStatus.STOPPED:
        run.stopped_items += 1
    elif row.status is not AttemptStatus.COMPLETED:
        run.failed_items += 1
    return close_run(database, run, now) if database.rules.closes_run(run) else None


def stop_run(database: MemoryDatabase, run: Run, reason: str) -> None:
    """Ask a run to stop: what nobody holds is closed at once, what runs is told to its holders."""
    now = database.now()
    if not run.stop_requested:
        run.stop_requested = True
        run.reason = reason
        database.note(What.STOP_ORDERED, run, note=reason)
    for rows in list(run.attempts.values()):
        if rows[-1].status is AttemptStatus.PENDING:
            close_pending(database, rows[-1], AttemptStatus.STOPPED, reason, now)


def close_pending(
    database: MemoryDatabase, row: Attempt, status: AttemptStatus, reason: str, now: datetime
) -> None:
    """Close an attempt that nobody holds, and with it its item."""
    row.error_message = reason
    end_attempt(database, row, status, now)
    database.note(What.CLOSED_PENDING, row=row, note=status)
    close_item(database, row, now)


def close_with_job(database: MemoryDatabase, job_name: str) -> None:
    """The job was deleted: its runs of which nothing was ever claimed go with it, and what it waited for."""
    for key in [key for key in database.gates if key[0] == job_name]:
        del database.gates[key]
    for run in [run for run in database.open_runs.values() if run.job_name == job_name]:
        if database.rules.ends_when_deleted(run):
            stop_run(database, run, DELETED)


def close_run(database: MemoryDatabase, run: Run, now: datetime) -> RunStatus | None:
    """Set the run's status, and do all that follows: job_status, alerts, the live_run row. None: it stays open, for its
    items are rolled back first."""
    status = _status(run)
    if status is RunStatus.FAILED and database.rules.rolls_back(run) and begin_undoing(database, run, now):
        return None
    run.status = status
    run.reason = reason_after_undoing(run)
    run.finished_at = now
    run.result = _result(run) if run.status is RunStatus.COMPLETED else None
    database.open_runs.pop(run.run_id, None)
    database.note(What.RUN_CLOSED, run, note=run.status)
    _follow(database, run, now)
    release_live_run(database, run, now)
    database.closed.append(run)
    return run.status


def _status(run: Run) -> RunStatus:
    if run.failed_items:
        return RunStatus.FAILED
    return RunStatus.STOPPED if run.stopped_items else RunStatus.COMPLETED


def _result(run: Run) -> Any:
    results: Mapping[int, Any] = {item: last_real(rows).result for item, rows in run.attempts.items()}
    if len(results) == 1:
        return next(iter(results.values()))
    return {str(item): result for item, result in sorted(results.items())}


def _follow(database: MemoryDatabase, run: Run, now: datetime) -> None:
    state = database.job_state(run.job_name)
    state.last_run, state.last_status, state.last_finished_at = run.run_id, run.status, now
    if run.status is RunStatus.FAILED:
        state.failures_in_a_row += 1
        alert_of_failure(database, run, state)
    elif run.status is RunStatus.COMPLETED:
        alert_of_recovery(database, run, state)
        state.failures_in_a_row = 0
        state.last_success_at = now


def take_live_run(database: MemoryDatabase, run: Run) -> bool:
    """Let the run hold its job's one row, or make it wait for that; False: it waits."""
    if run.job_name not in database.live_run:
        _hold(database, run)
        return True
    run.waiting = True
    database.waiting.setdefault(run.job_name, []).append(run)
    database.note(What.RUN_WAITING, run)
    return False


def release_live_run(database: MemoryDatabase, run: Run, now: datetime) -> None:
    """Hand the job's row on to the oldest waiting run (by fire time), if this one held it; else leave the
    queue."""
    queue = database.waiting.get(run.job_name, [])
    if database.live_run.get(run.job_name) is not run:
        if run in queue:
            queue.remove(run)
        return
    del database.live_run[run.job_name]
    if not queue:
        return
    heir = min(queue, key=database.rules.turn)
    queue.remove(heir)
    heir.waiting = False
    _hold(database, heir)
    for rows in heir.attempts.values():
        rows[-1].claimable_from = max(rows[-1].claimable_from, now)
        database.claimable[rows[-1]] = None


def _hold(database: MemoryDatabase, run: Run) -> None:
    database.live_run[run.job_name] = run
    database.note(What.LIVE, run)


def competes(kind: TriggerKind) -> bool:
    """Whether runs of this kind take or wait for the job's live_run row at all."""
    return kind in (TriggerKind.SCHEDULE, TriggerKind.MISFIRE, TriggerKind.BACKFILL)
