"""From what a worker said, or from how it died, to the Ending of an attempt."""

from __future__ import annotations

import time
from datetime import datetime

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import AttemptOrder, EndedValue, Ending, EndingStatus
from shardkeeper.workers.flight import Flight, Verdict, instant
from shardkeeper.workers.frames import Message

_TIMED_OUT = (Verdict.WHOLE, Verdict.PHASE)


def ending_of(flight: Flight, outcome: Message) -> Ending:
    """The worker's own account; a time that ran out before it arrived wins over it."""
    times = outcome.get("times_ms") or {}
    status = EndingStatus(outcome["status"])
    error_type, message = outcome.get("error_type"), outcome.get("error_message")
    body = outcome.get("body")
    answer = outcome.get("json")
    if flight.verdict in _TIMED_OUT:
        status, error_type, message, body = EndingStatus.TIMED_OUT, "TimedOut", flight.detail, None
    completed = status is EndingStatus.COMPLETED
    return Ending(
        status=status,
        phase=_phase(outcome.get("phase")),
        started_at=_instant(outcome.get("started_at")),
        finished_at=_instant(outcome.get("finished_at")),
        initialize_ms=times.get("initialize"),
        calculate_ms=times.get("calculate"),
        validate_ms=times.get("validate"),
        result=answer if completed and body == "result" else None,
        values=_values(answer) if completed and body == "values" else (),
        refused_values=_values(outcome.get("refused") or ()),
        error_type=None if completed else error_type,
        error_message=None if completed else message,
        traceback=outcome.get("traceback"),
        log=outcome.get("log"),
        code_version=outcome.get("code_version"),
        delay_s=outcome.get("delay_s", 0.0),
        cancelled=outcome.get("cancelled", False),
        decline=outcome.get("decline", False),
    )


def ending_of_death(flight: Flight, death: str, phase: str | None, log: str | None) -> Ending:
    """The worker is gone and the attempt with it."""
    assert isinstance(flight.order, AttemptOrder)
    asked_to_stop = flight.verdict in (Verdict.STOP, Verdict.CLOSE)
    if not flight.begun:
        return stopped_unbegun("stopped before it began") if asked_to_stop else _declined(flight, death)
    status, error_type, message = EndingStatus.FAILED, "WorkerDied", death
    if flight.verdict in _TIMED_OUT:
        status, error_type, message = EndingStatus.TIMED_OUT, "TimedOut", f"{flight.detail}; killed"
    elif asked_to_stop:
        status, error_type, message = (
            EndingStatus.STOPPED,
            "TaskStopped",
            "stopped; killed, as it did not end by itself",
        )
    return Ending(
        status=status,
        phase=_phase(phase or flight.phase),
        started_at=_instant(flight.started_at),
        finished_at=_not_before(flight.started_at),
        error_type=error_type,
        error_message=message,
        log=log,
        code_version=flight.code_version,
    )


def stopped_unbegun(reason: str) -> Ending:
    """Nothing of it ran."""
    return Ending(EndingStatus.STOPPED, error_type="TaskStopped", error_message=reason)


def failed_unbegun(error_type: str, reason: str) -> Ending:
    """It can never begin."""
    return Ending(EndingStatus.FAILED, error_type=error_type, error_message=reason)


def problem_of_death(flight: Flight, death: str) -> str:
    """What an import did to its worker."""
    entrypoint = flight.order.entrypoint
    if flight.verdict is Verdict.IMPORT:
        return f"{entrypoint} cannot be imported here: {flight.detail}"
    return f"{entrypoint} cannot be imported here: {death}"


def _declined(flight: Flight, death: str) -> Ending:
    reason = problem_of_death(flight, death)
    return Ending(EndingStatus.FAILED, error_type="NotRunnableHere", error_message=reason, decline=True)


def _values(rows: object) -> tuple[EndedValue, ...]:
    if not isinstance(rows, list):
        return ()
    return tuple(EndedValue(key, value, weight) for key, value, weight in rows)


def _phase(name: str | None) -> Phase | None:
    return Phase(name) if name else None


def _instant(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else instant(epoch_s)


def _not_before(epoch_s: float | None) -> datetime:
    return instant(max(time.time(), epoch_s or 0.0))
