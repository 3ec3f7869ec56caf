"""Recording how attempts ended, under the claim that held them and no other (rules 5 and 6)."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording
from shardkeeper.domain.runs import AttemptStatus, Phase, RunStatus
from shardkeeper.memory.closing import close_item, end_attempt, let_go, moved_claim_key, next_attempt
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.rows import Attempt
from shardkeeper.memory.storable import why_not_storable

_TAKEN_OVER_WITH_THE_ROW = (
    "phase", "started_at", "finished_at", "initialize_ms", "calculate_ms", "validate_ms", "result", "values",
    "refused_values", "error_type", "error_message", "traceback", "log", "code_version",
)  # fmt: skip


def record_one(database: MemoryDatabase, incarnation: str, outcome: Outcome) -> OutcomeAnswer:
    """Apply one outcome, or say why not."""
    rules = database.rules
    row = database.attempt(outcome.key)
    if row is None:
        return OutcomeAnswer(outcome.key, Recording.SUPERSEDED, reason="the run is no longer kept")
    if rules.is_repeated(row, incarnation, outcome.claim_no):
        database.note(What.REPEATED, row=row, claim_no=outcome.claim_no, incarnation=incarnation)
        closed = None if row.run.status.is_open else row.run.status
        return OutcomeAnswer(outcome.key, Recording.REPEATED, run_closed=closed)
    if not rules.is_holder(row, incarnation, outcome.claim_no):
        database.note(What.SUPERSEDED, row=row, claim_no=outcome.claim_no, incarnation=incarnation)
        reason = f"the attempt is {row.status}, claim {row.claim_no} of {row.incarnation or 'nobody'}"
        return OutcomeAnswer(outcome.key, Recording.SUPERSEDED, reason=reason)
    problem = _problem(outcome)
    if problem is not None:
        return OutcomeAnswer(outcome.key, Recording.REFUSED, reason=problem)
    row.answered = True
    _note_compensable(row, outcome.compensable, outcome.phase)
    now = database.now()
    if outcome.status is AttemptStatus.PENDING:
        return _give_back(database, row, outcome, now)
    return _end(database, row, outcome, now)


def _problem(outcome: Outcome) -> str | None:
    texts = (
        outcome.error_type, outcome.error_message, outcome.traceback, outcome.log, outcome.code_version
    )  # fmt: skip
    problem = why_not_storable(texts) or why_not_storable(outcome.result)
    for each in (*outcome.values, *outcome.refused_values):
        problem = problem or why_not_storable((each.key, each.value, each.weight))
    return problem


def _give_back(database: MemoryDatabase, row: Attempt, outcome: Outcome, now: datetime) -> OutcomeAnswer:
    """PENDING again under the same number, unless the run is to stop: then nobody may start it."""
    if database.rules.is_stopping(row.run):
        return _end(database, row, outcome, now, AttemptStatus.STOPPED)
    let_go(database, row)
    row.status, row.tries = AttemptStatus.PENDING, database.rules.tries_after_giving_back(row)
    if outcome.delay_s > 0:
        not_before = now + timedelta(seconds=outcome.delay_s)
        row.claim_key, row.not_before = moved_claim_key(row, not_before), not_before
    else:
        row.claim_key = row.claim_key if database.rules.keeps_place(row) else moved_claim_key(row, now)
        row.not_before = None
    row.claimable_from = row.not_before or now
    database.claimable[row] = None
    database.note(What.GIVEN_BACK, row=row)
    return OutcomeAnswer(outcome.key, Recording.RECORDED)


def _end(
    database: MemoryDatabase,
    row: Attempt,
    outcome: Outcome,
    now: datetime,
    status: AttemptStatus | None = None,
) -> OutcomeAnswer:
    for column in _TAKEN_OVER_WITH_THE_ROW:
        value = getattr(outcome, column)
        if value is not None:
            setattr(row, column, value)
    _begin(row, row.started_at or now)
    if row.compensates:
        row.values = ()
    end_attempt(database, row, status or outcome.status, now)
    database.note(What.ENDED, row=row, note=row.status)
    if database.rules.may_retry(row, outcome):
        tries, delay_s = row.tries + 1, outcome.retry_after_s or 0.0
        follower = next_attempt(database, row, now, tries=tries, takeovers=row.takeovers, delay_s=delay_s)
        database.note(What.RETRIED, row=follower)
        return OutcomeAnswer(outcome.key, Recording.RECORDED, retried=True)
    return OutcomeAnswer(outcome.key, Recording.RECORDED, run_closed=close_item(database, row, now))


def report_one(database: MemoryDatabase, incarnation: str, report: Progress) -> None:
    """Take over what a running attempt says of itself; ignored when it is no longer that claim's."""
    row = database.attempt(report.key)
    if row is None or not database.rules.may_report(row, incarnation, report.claim_no) or _unstorable(report):
        return
    if report.phase is not None:
        row.phase = report.phase
    if report.started_at is not None:
        row.started_at = report.started_at
        _begin(row, report.started_at)
    if report.fraction is not None:
        row.progress = report.fraction
    if report.message is not None:
        row.progress_message = report.message
    if report.checkpoint is not None:
        row.checkpoint = report.checkpoint
        saved = json.dumps(report.checkpoint, sort_keys=True)
        database.note(What.SAVED, row=row, note=saved, incarnation=incarnation, claim_no=report.claim_no)
    if report.code_version is not None:
        row.code_version = report.code_version
    _note_compensable(row, report.compensable, report.phase)


def _note_compensable(row: Attempt, told: bool, phase: Phase | None) -> None:
    """An attempt owes a rolling back once it has begun ``calculate`` with a task that has a ``compensate``."""
    if told and (phase or row.phase) in (Phase.CALCULATE, Phase.VALIDATE):
        row.compensable = True


def _begin(row: Attempt, at: datetime) -> None:
    """A run that was pulled is RUNNING from the first beginning that is told."""
    if row.run.status is RunStatus.CREATED:
        row.run.status, row.run.started_at = RunStatus.RUNNING, at


def _unstorable(report: Progress) -> bool:
    return why_not_storable((report.message, report.checkpoint, report.code_version)) is not None
