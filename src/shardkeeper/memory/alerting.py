"""The alert rows that the store itself writes, in the transaction of what they tell of; each event key
stands once."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Alert, JobState, Run

FAILED, RECOVERED, MISSED, LATE = "failed", "recovered", "missed", "late"
INVALID, DECLINED = "invalid", "declined"


def add_alert(
    database: MemoryDatabase,
    event_key: str,
    kind: str,
    body: Mapping[str, Any],
    *,
    job_name: str | None = None,
    channel: str | None = None,
    answers: int | None = None,
) -> Alert | None:
    """Insert an alert that is due at once; None: the event key stands already."""
    if event_key in database.alert_keys:
        return None
    now = database.now()
    alert = Alert(
        database.number("alert"), event_key, kind, job_name, channel, body, now, now, answers=answers
    )
    database.alerts[alert.alert_id] = database.unsent[alert.alert_id] = alert
    database.alert_keys[event_key] = alert
    return alert


def alert_of_failure(database: MemoryDatabase, run: Run, state: JobState) -> None:
    """The run has failed for good; ``state`` counts it already."""
    if FAILED in run.terms.alert_on and state.failures_in_a_row >= run.terms.alert_after:
        alert = _alert_of_run(database, run, FAILED, _failure(run, state))
        if alert is not None and state.failed_alert is None:
            state.failed_alert = alert.alert_id


def alert_of_recovery(database: MemoryDatabase, run: Run, state: JobState) -> None:
    """The first success after failures that were told of; ``state`` does not count it yet."""
    if RECOVERED in run.terms.alert_on and 0 < run.terms.alert_after <= state.failures_in_a_row:
        body = {"run_id": run.run_id, "failures_in_a_row": state.failures_in_a_row}
        _alert_of_run(database, run, RECOVERED, body, answers=state.failed_alert)
    state.failed_alert = None


def alert_of_missed(database: MemoryDatabase, record: Run) -> None:
    if MISSED in record.terms.alert_on:
        _alert_of_run(database, record, MISSED, {"count": record.missed_count, "reason": record.reason})


def alert_of_lateness(database: MemoryDatabase, run: Run, which: str, limit_s: float, now: datetime) -> None:
    """``which`` is the column whose limit was passed: late_after or finish_within."""
    if LATE in run.terms.alert_on:
        _alert_of_run(database, run, LATE, {"which": which, "limit_s": limit_s}, suffix=f":{which}")


def _alert_of_run(
    database: MemoryDatabase,
    run: Run,
    kind: str,
    more: Mapping[str, Any],
    *,
    answers: int | None = None,
    suffix: str = "",
) -> Alert | None:
    body = {"job_name": run.job_name, "run_id": run.run_id, "fire_time": run.fire_time.isoformat(), **more}
    return add_alert(
        database,
        f"run:{run.run_id}:{kind}{suffix}",
        kind,
        body,
        job_name=run.job_name,
        channel=run.terms.alert_channel,
        answers=answers,
    )


def _failure(run: Run, state: JobState) -> dict[str, Any]:
    last = [rows[-1] for rows in run.attempts.values()]
    failed = [row for row in last if row.status not in (AttemptStatus.COMPLETED, AttemptStatus.STOPPED)]
    first = min(failed, key=lambda row: row.key.item)
    success = state.last_success_at
    return {
        "items": len(last),
        "failed_items": len(failed),
        "item": first.key.item,
        "attempt": first.key.attempt,
        "status": str(first.status),
        "phase": None if first.phase is None else str(first.phase),
        "node_id": first.node_id,
        "error_type": first.error_type,
        "error_message": first.error_message,
        "failures_in_a_row": state.failures_in_a_row,
        "last_success": None if success is None else success.isoformat(),
    }
