"""From the columns of a job_spec row, as somebody wrote them, to the row as JSON and to the terms that the
store works by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from shardkeeper.domain.durations import parse_duration
from shardkeeper.domain.specs import ImplSpec, JobSpec, Misfire, Overlap, SourceData, Strategy
from shardkeeper.domain.validation.limits import MAX_CATCH_UP_ITEMS
from shardkeeper.memory.rows import JobTerms

_DURATIONS = frozenset(
    {
        "every",
        "misfire_grace",
        "retry_delay",
        "retry_max_delay",
        "timeout",
        "late_after",
        "finish_within",
        "rate_period",
        "retention",
    }
)
_INSTANTS = frozenset({"run_at", "starts_at", "ends_at"})


def _defaults(values: type[Any]) -> dict[str, Any]:
    """The columns of a table that have a default, as the domain's dataclass states them."""
    found: dict[str, Any] = {}
    for each in fields(values):
        if each.default is not MISSING:
            found[each.name] = each.default
        elif each.default_factory is not MISSING:
            found[each.name] = each.default_factory()
    return found


JOB_DEFAULTS = _defaults(JobSpec)
IMPL_DEFAULTS = _defaults(ImplSpec)
SOURCE_DEFAULTS = _defaults(SourceData)


def job_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """A job_spec row as its version keeps it: the columns that differ from their defaults."""
    kept = _without_defaults(row, JOB_DEFAULTS)
    return kept | {"timeout": None} if row["timeout"] is None else kept


def impl_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of an impl_spec row."""
    return _without_defaults(row, IMPL_DEFAULTS)


def source_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a source_data row, which its ImplSpec's version keeps."""
    return _without_defaults(
        {column: row[column] for column in row if column != "impl_spec"}, SOURCE_DEFAULTS
    )


def _without_defaults(row: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    return {
        column: as_json(value)
        for column, value in row.items()
        if value is not None and (column not in defaults or as_json(value) != as_json(defaults[column]))
    }


def as_json(value: Any) -> Any:
    """A value as jsonb shows it: durations as ``30 s``, instants in ISO 8601."""
    if isinstance(value, timedelta):
        return seconds_text(value)
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    if isinstance(value, Mapping):
        return {key: as_json(each) for key, each in value.items()}
    if isinstance(value, tuple):
        return [as_json(each) for each in value]
    return value if type(value) in (str, int, float, bool, list, type(None)) else str(value)


def seconds_text(value: timedelta) -> str:
    """Exact to the microsecond, as specs have it: ``90 s``, ``0.25 s``."""
    seconds, rest = divmod(value // timedelta(microseconds=1), 1_000_000)
    return f"{seconds}.{rest:06}".rstrip("0") + " s" if rest else f"{seconds} s"


def typed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with durations and instants as values, given as those or as text; raises ValueError for others."""
    return {column: _typed(column, value) for column, value in row.items()}


def _typed(column: str, value: Any) -> Any:
    if column in _DURATIONS and isinstance(value, str):
        return parse_duration(value)
    if column in _INSTANTS and isinstance(value, str):
        return datetime.fromisoformat(value)
    return value


def terms_of(row: Mapping[str, Any]) -> JobTerms:
    """The terms of a complete job_spec row; raises ValueError where SQL's CHECKs would refuse it."""
    items = int(row["catch_up_limit"]) * int(row["sharding_total_count"])
    if row["misfire"] == Misfire.ALL and items > MAX_CATCH_UP_ITEMS:
        raise ValueError(f"misfire all: catch_up_limit x items is at most {MAX_CATCH_UP_ITEMS}")
    return JobTerms(
        enabled=bool(row["enabled"]),
        overlap=Overlap(row["overlap"]),
        strategy=Strategy(row["sharding_strategy"]),
        sharding_total_count=int(row["sharding_total_count"]),
        failover=bool(row["failover"]),
        max_attempts=int(row["max_attempts"]),
        max_takeovers=int(row["max_takeovers"]),
        misfire_grace=row["misfire_grace"],
        late_after=row["late_after"],
        finish_within=row["finish_within"],
        priority=int(row["priority"]),
        node_selector=row["node_selector"] or {},
        alert=row["alert"] or {},
        labels=row["labels"] or {},
        item_parameters=row["sharding_item_parameters"] or {},
        owner=row["owner"],
        pool=row["pool"],
        max_running=row["max_running"],
        concurrency_key=row["concurrency_key"],
        max_running_per_key=int(row["max_running_per_key"]),
        rate_limit=row["rate_limit"],
        rate_period=row["rate_period"],
        follows=row["follows"] or {},
        retention=row["retention"],
        parameters_schema=row["parameters_schema"],
        parameters_limit=int(row["parameters_limit"]),
        scheduled=any(row[column] is not None for column in ("cron", "every", "run_at")),
    )
