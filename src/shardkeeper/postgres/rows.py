"""Between the values of the ports and what PostgreSQL's functions take and give. Nothing here talks to a server."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from shardkeeper.domain.attempts import Claimed, CreateAnswer, CreateRun, Creation, Pending, RunHead
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording, ValueRow
from shardkeeper.domain.runs import AttemptKey, RunStatus, TriggerKind
from shardkeeper.ports.specs import ImplVersionRow

Row = tuple[Any, ...]
# a look-up costs a third of what calling the enumeration does
_KINDS = {kind.value: kind for kind in TriggerKind}
_CREATIONS = {creation.value: creation for creation in Creation}
_RECORDINGS = {recording.value: recording for recording in Recording}
_STATUSES = {status.value: status for status in RunStatus}


def as_json(value: Any) -> str:
    """JSON text without NaN and infinity; raises ValueError for what has none."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"), default=_plain)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | frozenset | set):
        return list(value)
    raise ValueError(f"{type(value).__name__} is no JSON type")


def instant(text: str) -> datetime:
    """An aware instant from ISO 8601 as the functions write it, with +00:00."""
    return datetime.fromisoformat(text)


def impl_version_row(each: Mapping[str, Any]) -> ImplVersionRow:
    """From an element of what the sweep and ``backfill_past`` read."""
    return ImplVersionRow(
        each["impl_name"],
        each["version"],
        each["impl"],
        tuple(each["sources"]),
        instant(each["in_force_from"]),
    )


def requests_json(requests: Sequence[CreateRun]) -> str:
    """What ``create_runs`` takes. Raises ValueError for text that is no Unicode."""
    return msgspec.json.encode([_request_json(order, each) for order, each in enumerate(requests)]).decode()


def _request_json(order: int, request: CreateRun) -> dict[str, Any]:
    return {
        "ord": order,
        "job": request.job_name,
        "fire": request.fire_time,
        "jv": request.job_version,
        "iv": request.impl_version,
        "total": request.sharding_total_count,
        "claim": request.claim_items,
        "nodes": request.nodes,
        "make": request.create,
    }


def create_answer(request: CreateRun, row: Row) -> CreateAnswer:
    """From (outcome, run_id, now, reason, own, claimed)."""
    outcome, run_id, now, reason, own, claimed = row
    if own:
        head = RunHead(
            request.job_name,
            TriggerKind.SCHEDULE,
            request.job_version,
            request.impl_version,
            request.sharding_total_count,
            {},
        )
        attempts = tuple(
            Claimed(AttemptKey(run_id, request.fire_time, item, 1), 1, head, None, 0, 0) for item in own
        )
    else:
        attempts = tuple(_claimed(each) for each in claimed or ())
    return CreateAnswer(_CREATIONS[outcome], run_id, attempts, now, reason)


def _claimed(columns: Mapping[str, Any]) -> Claimed:
    """From a ``claimed_attempt`` as JSON."""
    key = AttemptKey(columns["run_id"], instant(columns["fire_time"]), columns["item"], columns["attempt"])
    return claimed((key.run_id, key.fire_time, *(columns[name] for name in _CLAIMED[2:])))


_CLAIMED = (
    "run_id", "fire_time", "item", "attempt", "claim_no", "checkpoint", "tries", "takeovers", "stop_requested",
    "job_name", "trigger_kind", "job_version", "impl_version", "sharding_total_count", "parameters",
    "compensates",
)  # fmt: skip


def claimed(row: Row) -> Claimed:
    """From the columns of a ``claimed_attempt``."""
    (run_id, fire_time, item, attempt, claim_no, checkpoint, tries, takeovers, stop_requested,
     job_name, kind, job_version, impl_version, total, parameters, compensates) = row  # fmt: skip
    return Claimed(
        AttemptKey(run_id, fire_time, item, attempt),
        claim_no,
        RunHead(job_name, _KINDS[kind], job_version, impl_version, total, parameters),
        checkpoint,
        tries,
        takeovers,
        stop_requested,
        compensates,
    )


def pending(row: Row) -> Pending:
    """From the columns of ``pending_attempts``."""
    (run_id, fire_time, item, attempt, job_name, kind, job_version, impl_version, total, pinned_node,
     owned, waiting_s, declined_by) = row  # fmt: skip
    return Pending(
        AttemptKey(run_id, fire_time, item, attempt),
        job_name,
        TriggerKind(kind),
        job_version,
        impl_version,
        total,
        pinned_node,
        waiting_s,
        tuple(declined_by),
        owned,
    )


def key_columns(keys: Sequence[AttemptKey]) -> tuple[list[int], list[datetime], list[int], list[int]]:
    """The keys as four arrays."""
    return (
        [key.run_id for key in keys],
        [key.fire_time for key in keys],
        [key.item for key in keys],
        [key.attempt for key in keys],
    )


_RARE = ("error_type", "error_message", "traceback", "log", "retry_after_s", "code_version")


def outcomes_json(outcomes: Sequence[Outcome]) -> str:
    """What ``record_outcomes`` takes. Raises ValueError for what has no JSON, and for text that is no Unicode."""
    return msgspec.json.encode([_outcome_json(order, each) for order, each in enumerate(outcomes)]).decode()


def _outcome_json(order: int, outcome: Outcome) -> dict[str, Any]:
    """A ``shardkeeper.outcome``; columns that are None have no value there either."""
    key = outcome.key
    columns: dict[str, Any] = {
        "ord": order,
        "run_id": key.run_id,
        "fire_time": key.fire_time,
        "item": key.item,
        "attempt": key.attempt,
        "claim_no": outcome.claim_no,
        "status": outcome.status,
        "phase": outcome.phase,
        "started_at": outcome.started_at,
        "finished_at": outcome.finished_at,
        "initialize_ms": outcome.initialize_ms,
        "calculate_ms": outcome.calculate_ms,
        "validate_ms": outcome.validate_ms,
        "delay_s": outcome.delay_s,
    }
    if not math.isfinite((outcome.calculate_ms or 0.0) + outcome.delay_s + (outcome.retry_after_s or 0.0)):
        raise ValueError("a duration is not finite")
    for name in _RARE:
        if (value := getattr(outcome, name)) is not None:
            columns[name] = value
    if outcome.compensable:
        columns["compensable"] = True
    if outcome.result is not None:
        columns["result"] = _raw(outcome.result)
    if outcome.values:
        columns["calculated"] = _raw(_values_json(outcome.values))
    if outcome.refused_values:
        columns["refused_values"] = _raw(_values_json(outcome.refused_values))
    return columns


def _raw(value: Any) -> msgspec.Raw:
    """What tasks returned, by the coder that refuses NaN and infinity instead of writing null."""
    return msgspec.Raw(as_json(value).encode())


def _values_json(values: Sequence[ValueRow]) -> list[tuple[str, Any, float]]:
    return [(each.key, each.value, each.weight) for each in values]


def _key_json(order: int, key: AttemptKey) -> dict[str, Any]:
    return {
        "ord": order,
        "run_id": key.run_id,
        "fire_time": key.fire_time,
        "item": key.item,
        "attempt": key.attempt,
    }


def outcome_answer(outcome: Outcome, row: Row) -> OutcomeAnswer:
    """From (recording, run_closed, retried, reason)."""
    recording, closed, retried, reason = row
    return OutcomeAnswer(
        outcome.key, _RECORDINGS[recording], None if closed is None else _STATUSES[closed], retried, reason
    )


_PROGRESS = (
    "claim_no",
    "phase",
    "started_at",
    "fraction",
    "message",
    "checkpoint",
    "code_version",
    "compensable",
)


def progress_json(order: int, report: Progress) -> dict[str, Any]:
    """One element of what ``note_progress`` takes."""
    return _key_json(order, report.key) | {name: getattr(report, name) for name in _PROGRESS}
