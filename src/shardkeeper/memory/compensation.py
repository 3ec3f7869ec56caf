"""Rolling back what a run that failed for good has done outside: one more attempt of each item that had begun."""

from __future__ import annotations

from datetime import datetime, timedelta

from shardkeeper.domain.runs import AttemptKey, AttemptStatus, RunStatus
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt, Run


def begin_undoing(database: MemoryDatabase, run: Run, now: datetime) -> bool:
    """Insert an attempt that compensates for every item that had begun ``calculate`` with a task that has a
    ``compensate``; False: there is none."""
    begun = [rows for _, rows in sorted(run.attempts.items()) if any(row.compensable for row in rows)]
    if not begun:
        return False
    run.status, run.compensating, run.open_items = RunStatus.RUNNING, True, len(begun)
    for rows in begun:
        last = rows[-1]
        key = AttemptKey(last.key.run_id, last.key.fire_time, last.key.item, last.key.attempt + 1)
        undoing = Attempt(
            key,
            run,
            now,
            last.pinned_node,
            checkpoint=last.checkpoint,
            claim_key=None if last.claim_key is None else now - timedelta(minutes=run.priority),
            limited=last.limited,
            concurrency_value=last.concurrency_value,
            compensates=True,
        )
        rows.append(undoing)
        database.claimable[undoing] = None
        database.note(What.COMPENSATING, row=undoing)
    return True


def reason_after_undoing(run: Run) -> str | None:
    """The run's reason once it is closed: it names the items that could not be rolled back."""
    left = [
        str(item)
        for item, rows in sorted(run.attempts.items())
        if rows[-1].compensates and rows[-1].status is not AttemptStatus.COMPLETED
    ]
    if not left:
        return run.reason
    what = f"could not roll back {'item' if len(left) == 1 else 'items'} {', '.join(left)}"
    return f"{run.reason}; {what}" if run.reason else what
