"""From the columns of a job_spec row, as somebody wrote them, to the row as JSON and to the terms that the
store works by."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from datetime import datetime, timedelta
from typing import Any

from shardkeeper.domain.specs import ImplSpec, JobSpec, Overlap, SourceData, Strategy
from shardkeeper.memory.rows import JobTerms

ALERT_KINDS = frozenset({"failed", "missed", "late", "recovered"})
_INTERVAL = re.compile(r"(?:(\d+) days? ?)?(?:(\d+):(\d\d):(\d\d(?:\.\d+)?))?")


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


def as_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row as PostgreSQL's to_jsonb shows it: intervals and instants become text."""
    return {column: _json_value(value) for column, value in row.items()}


def _json_value(value: Any) -> Any:
    if isinstance(value, timedelta):
        return _interval_text(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _json_value(each) for key, each in value.items()}
    return value if type(value) in (str, int, float, bool, list, type(None)) else str(value)


def _interval_text(value: timedelta) -> str:
    microseconds = value // timedelta(microseconds=1)
    sign = "-" if microseconds < 0 else ""
    seconds, rest = divmod(abs(microseconds), 1_000_000)
    text = f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{text}.{rest:06}".rstrip("0") if rest else text


def interval(value: Any) -> timedelta | None:
    """A duration as a timedelta, given as one or as PostgreSQL writes it (``1 day 02:00:00``); None stays
    None.

    Raises ValueError for what it cannot read.
    """
    if value is None or isinstance(value, timedelta):
        return value
    match = _INTERVAL.fullmatch(str(value))
    if match is None or not any(match.groups()):
        raise ValueError(f"not an interval: {value!r}")
    days, hours, minutes, seconds = match.groups()
    return timedelta(
        days=int(days or 0), hours=int(hours or 0), minutes=int(minutes or 0), seconds=float(seconds or 0)
    )


def terms_of(row: Mapping[str, Any]) -> JobTerms:
    """The terms of a complete job_spec row; raises ValueError where SQL's CHECKs would refuse it."""
    alert = row["alert"] or {}
    return JobTerms(
        enabled=bool(row["enabled"]),
        overlap=Overlap(row["overlap"]),
        strategy=Strategy(row["sharding_strategy"]),
        sharding_total_count=int(row["sharding_total_count"]),
        failover=bool(row["failover"]),
        max_attempts=int(row["max_attempts"]),
        max_takeovers=int(row["max_takeovers"]),
        misfire_grace=interval(row["misfire_grace"]) or timedelta(0),
        late_after=interval(row["late_after"]),
        finish_within=interval(row["finish_within"]),
        priority=int(row["priority"]),
        node_selector=row["node_selector"] or {},
        alert_on=frozenset(alert.get("on", ALERT_KINDS)),
        alert_after=int(alert.get("after", 1)),
        alert_channel=alert.get("channel"),
    )
