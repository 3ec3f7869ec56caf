"""Running an attempt in its worker and saying how it ended, whatever the task does."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from shardkeeper.phases import Phases, has_values
from shardkeeper.task import (
    CalculateValue,
    Cancel,
    DistributeTask,
    RetryLater,
    ShardContext,
    TaskStopped,
    ValidationError,
    checked_delay_s,
)
from shardkeeper.workers.attempt import Attempt
from shardkeeper.workers.frames import Message, framed, packed
from shardkeeper.workers.imports import Declined
from shardkeeper.workers.jsontext import NotJson, TooLarge, json_text
from shardkeeper.workers.texts import cut, message_of, traceback_of

REFUSED_VALUES = 20
"""How many refused values are kept with the error."""

_NO_COMPENSATION = DistributeTask.compensate

Find = Callable[[Attempt], tuple[Callable[[], DistributeTask], str | None]]
"""From an attempt to what makes its task object, and its code version. Raises Declined."""


def run_attempt(attempt: Attempt, find: Find) -> tuple[Message, bytes]:
    """The outcome message, and the JSON that goes with it as ``result`` or ``values`` (by ``outcome["body"]``)."""
    outcome: Message = {"t": "ended", "seq": attempt.seq}
    phases = Phases(attempt.entered)
    body = b""
    try:
        try:
            if attempt.stop_asked:
                raise TaskStopped
            make, code_version = find(attempt)
            compensable = getattr(make, "compensate", _NO_COMPENSATION) is not _NO_COMPENSATION
            at = time.time()
            outcome["started_at"] = at
            if code_version is not None:
                outcome["code_version"] = code_version
            if compensable:
                outcome["compensable"] = True
            attempt.begin(at, code_version, compensable)
            _limit_memory(attempt)
            attempt.open()
            context = ShardContext(attempt.context, attempt.log, attempt)
            if "compensates" in attempt.order:
                phases.compensate(make(), context)
            else:
                phases.run(make(), context)
        finally:
            attempt.shut()
            _lift_memory_limit(attempt)
        body = _body(attempt, phases.calculated, outcome)
        outcome["status"] = "STOPPED" if attempt.stop_seen else "COMPLETED"
    except BaseException as error:  # noqa: BLE001 - whatever a task raises is its outcome
        body = b""
        outcome.pop("body", None)
        _lift_memory_limit(attempt)
        outcome.update(_failure(attempt, error, phases))
    outcome["finished_at"] = time.time()
    if phases.phase is not None:
        outcome.setdefault("phase", phases.phase)
    outcome["times_ms"] = phases.times_ms
    return outcome, body


def outcome_frame(outcome: Message, body: bytes) -> bytes:
    """One frame of both."""
    frame = packed(outcome)
    return framed(frame[4:-1] + b',"json":' + body + b"}") if body else frame


def _body(attempt: Attempt, calculated: Any, outcome: Message) -> bytes:
    limit = attempt.order["result_limit"]
    if has_values(calculated):
        outcome["body"] = "values"
        rows = [(value.key, value.value, float(value.weight)) for value in calculated]
        return json_text(rows, limit, "list of values")
    if calculated is None:
        return b""
    outcome["body"] = "result"
    return json_text(calculated, limit)


def _failure(attempt: Attempt, error: BaseException, phases: Phases) -> Message:
    secrets = attempt.around.secrets
    failure: Message = {
        "status": "FAILED",
        "error_type": type(error).__name__,
        "error_message": message_of(error, secrets),
    }
    if isinstance(error, Declined):
        return {**failure, "error_type": "NotRunnableHere", "traceback": error.trace, "decline": True}
    if isinstance(error, TaskStopped) or attempt.stop_seen:
        # where it was when it was interrupted is the best hint at why it hung
        where = {"traceback": traceback_of(error, secrets)} if attempt.phase else {}
        return {
            **failure,
            **where,
            "status": "STOPPED",
            "error_message": failure["error_message"] or "stopped",
        }
    if isinstance(error, RetryLater):
        return {**failure, **_later(error)}
    if isinstance(error, Cancel):
        return {**failure, "status": "STOPPED", "cancelled": True}
    if isinstance(error, MemoryError):
        limit = attempt.order.get("memory_limit")
        message = f"the task needs more memory than its limit of {limit} bytes" if limit else "out of memory"
        return {
            **failure,
            "error_type": "OutOfMemory",
            "error_message": message,
            "retire": "ran out of memory",
        }
    if isinstance(error, SystemExit):
        failure["error_message"] = f"the task called sys.exit({failure['error_message']})"
    if isinstance(error, ValidationError) and phases.phase == "validate":
        failure["refused"] = _refused(phases.calculated)
    if isinstance(error, NotJson | TooLarge):
        # seen only once validation was content, but it is what calculate returned
        failure["phase"] = "calculate"
    else:
        failure["traceback"] = traceback_of(error, secrets)
    return failure


def _later(error: RetryLater) -> Message:
    """Its seconds are looked at again: a class derived from it, or whoever caught it, may have put anything there."""
    try:
        return {"status": "RETRY_LATER", "delay_s": checked_delay_s(getattr(error, "seconds", None))}
    except (TypeError, ValueError) as wrong:
        return {"error_type": type(wrong).__name__, "error_message": str(wrong)}


def _refused(calculated: Any) -> list[list[Any]]:
    rows = calculated if has_values(calculated) else [CalculateValue("result", calculated)]
    return [[value.key[:200], _shown(value.value), float(value.weight)] for value in rows[:REFUSED_VALUES]]


def _shown(value: Any) -> Any:
    """A refused value itself where it is small JSON, else a glimpse of it."""
    try:
        json_text(value, 1_000)
    except (NotJson, TooLarge):
        try:
            return cut(repr(value), 300).replace("\0", "\ufffd")
        except Exception as error:  # noqa: BLE001 - a task's class may do anything
            return f"<{type(value).__name__}: {type(error).__name__}>"
    return value


def _limit_memory(attempt: Attempt) -> None:
    """Allow so much more private memory than the worker has now.

    RLIMIT_DATA, as RLIMIT_AS counts what is only reserved.
    """
    limit = attempt.order.get("memory_limit")
    if not limit or attempt.shared:
        return
    for line in Path("/proc/self/status").read_bytes().splitlines():
        if line.startswith(b"VmData:"):
            limit += int(line.split()[1]) * 1024
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (limit if hard < 0 else min(limit, hard), hard))


def _lift_memory_limit(attempt: Attempt) -> None:
    if attempt.order.get("memory_limit") and not attempt.shared:
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (hard, hard))
