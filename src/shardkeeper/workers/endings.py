"""From what a worker said, or from how it died, to the Ending of an attempt."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import AttemptOrder, AttemptReturned, EndedValue, Ending, EndingStatus
from shardkeeper.workers.flight import Flight, Verdict, instant
from shardkeeper.workers.frames import Message

_PHASES = {phase.value: phase for phase in Phase}
_STATUSES = {status.value: status for status in EndingStatus}
_TIMED_OUT = (Verdict.WHOLE, Verdict.PHASE)


def ending_of(flight: Flight, outcome: Message) -> tuple[Ending, float]:
    """The worker's own account, and the milliseconds that its phases took; a time that ran out before it arrived wins
    over it.
    """
    times = outcome["times_ms"]
    status = _STATUSES[outcome["status"]]
    if status is EndingStatus.COMPLETED and flight.verdict not in _TIMED_OUT:
        ending = _completed(outcome, times)
    else:
        ending = _not_completed(flight, status, outcome, times)
    return ending, sum(times.values())


def _completed(outcome: Message, times: dict[str, float]) -> Ending:
    get = outcome.get
    body = get("body")
    return Ending(
        EndingStatus.COMPLETED,
        _phase(get("phase")),
        _instant(get("started_at")),
        _instant(get("finished_at")),
        times.get("initialize"),
        times.get("calculate"),
        times.get("validate"),
        get("json") if body == "result" else None,
        _values(get("json")) if body == "values" else (),
        log=get("log"),
        code_version=get("code_version"),
        compensable="compensable" in outcome,
    )


def _not_completed(flight: Flight, status: EndingStatus, outcome: Message, times: dict[str, float]) -> Ending:
    error_type, message = outcome.get("error_type"), outcome.get("error_message")
    if flight.verdict in _TIMED_OUT:
        status, error_type, message = EndingStatus.TIMED_OUT, "TimedOut", flight.detail
    return Ending(
        status=status,
        phase=_phase(outcome.get("phase")),
        started_at=_instant(outcome.get("started_at")),
        finished_at=_instant(outcome.get("finished_at")),
        initialize_ms=times.get("initialize"),
        calculate_ms=times.get("calculate"),
        validate_ms=times.get("validate"),
        refused_values=_values(outcome.get("refused") or ()),
        error_type=error_type,
        error_message=message,
        traceback=outcome.get("traceback"),
        log=outcome.get("log"),
        code_version=outcome.get("code_version"),
        delay_s=outcome.get("delay_s", 0.0),
        cancelled=outcome.get("cancelled", False),
        decline=outcome.get("decline", False),
        compensable=outcome.get("compensable", False),
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
        compensable=flight.compensable,
    )


def stopped_unbegun(reason: str) -> Ending:
    """Nothing of it ran."""
    return Ending(EndingStatus.STOPPED, error_type="TaskStopped", error_message=reason)


def returned(orders: Sequence[AttemptOrder], reason: str) -> tuple[AttemptReturned, ...]:
    """None of them will run here."""
    return tuple(AttemptReturned(order.key, order.claim_no, reason) for order in orders)


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
    return _PHASES[name] if name else None


def _instant(epoch_s: float | None) -> datetime | None:
    return None if epoch_s is None else instant(epoch_s)


def _not_before(epoch_s: float | None) -> datetime:
    return instant(max(time.time(), epoch_s or 0.0))
