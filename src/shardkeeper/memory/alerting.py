"""The alert rows that the store itself writes, in the transaction of what they tell of; each event key
stands once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shardkeeper.domain.naming import run_name
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.rows import Alert, Attempt, JobState, JobTerms, Run, last_real

FAILED, RECOVERED, MISSED, LATE = "failed", "recovered", "missed", "late"
INVALID, DECLINED = "invalid", "declined"
_FAILURES = frozenset({AttemptStatus.FAILED, AttemptStatus.TIMED_OUT, AttemptStatus.LOST})


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
    if _wants(run.terms, FAILED) and state.failures_in_a_row >= _after(run.terms):
        alert = _alert_of_run(database, run, FAILED, state)
        if alert is not None and state.failed_alert is None:
            state.failed_alert = alert.alert_id


def alert_of_recovery(database: MemoryDatabase, run: Run, state: JobState) -> None:
    """The first success after failures that were told of; ``state`` does not count it yet."""
    if _wants(run.terms, RECOVERED) and state.failures_in_a_row >= _after(run.terms):
        _alert_of_run(database, run, RECOVERED, state, answers=state.failed_alert)
    state.failed_alert = None


def alert_of_missed(database: MemoryDatabase, record: Run) -> None:
    if _wants(record.terms, MISSED):
        _alert_of_run(database, record, MISSED, database.job_state(record.job_name))


def alert_of_lateness(database: MemoryDatabase, run: Run, which: str) -> None:
    """``which`` is the column whose limit was passed: late_after or finish_within."""
    if _wants(run.terms, LATE):
        _alert_of_run(database, run, LATE, database.job_state(run.job_name), which=which)


def _wants(terms: JobTerms, kind: str) -> bool:
    return "on" not in terms.alert or kind in terms.alert["on"]


def _after(terms: JobTerms) -> int:
    return max(1, int(terms.alert.get("after", 1)))


def _alert_of_run(
    database: MemoryDatabase,
    run: Run,
    kind: str,
    state: JobState,
    *,
    answers: int | None = None,
    which: str | None = None,
) -> Alert | None:
    return add_alert(
        database,
        f"{kind}:{run.run_id}" + (f":{which}" if which else ""),
        kind,
        _body(run, state) | ({"which": which} if which else {}),
        job_name=run.job_name,
        channel=run.terms.alert.get("channel"),
        answers=answers,
    )


def _body(run: Run, state: JobState) -> dict[str, Any]:
    """What a message about a run is made of."""
    last = [last_real(rows) for rows in run.attempts.values()]
    failed = [row for row in last if row.status in _FAILURES]
    worst = min(failed, key=lambda row: row.key.item, default=None)
    terms = run.terms
    body = {
        "job_name": run.job_name,
        "run": run_name(run.job_name, run.fire_time),
        "run_id": run.run_id,
        "fire_time": run.fire_time.isoformat(),
        "trigger_kind": run.kind,
        "missed_count": run.missed_count,
        "reason": run.reason,
        "items": len(last),
        "failed_items": len(failed),
        "failures_in_a_row": state.failures_in_a_row,
        "last_success": None if state.last_success_at is None else state.last_success_at.isoformat(),
        "owner": terms.owner,
        "mention": terms.alert.get("mention"),
        "channel": terms.alert.get("channel"),
        "runbook_url": terms.alert.get("runbook_url"),
    } | (_of_attempt(worst, terms) if worst is not None else {})
    return {key: value for key, value in body.items() if value is not None}


def _of_attempt(row: Attempt, terms: JobTerms) -> dict[str, Any]:
    return {
        "item": row.key.item,
        "item_parameter": terms.item_parameters.get(str(row.key.item)),
        "status": row.status,
        "phase": row.phase,
        "node_id": row.node_id,
        "attempt": row.key.attempt,
        "error_type": row.error_type and row.error_type[:200],
        "error_message": row.error_message and row.error_message[:3000],
    }
