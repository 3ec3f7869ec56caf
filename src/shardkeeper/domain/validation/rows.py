"""Rows into specs, and specs into rows.

A row is what PostgreSQL's `to_jsonb(row)` gives, or one entry of a spec file: JSON values by column name, durations
and instants as text. A column that this version does not know is passed over while it is not used (null or empty),
so that additive migrations do no harm; when it is used, this version cannot run the spec as it is meant.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any, Generic, TypeVar

from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.errors import SpecInvalid, UnknownSpec, ValueInvalid
from shardkeeper.domain.problems import Problem, problem, shown
from shardkeeper.domain.specs import (
    ImplSpec,
    Isolation,
    JobSpec,
    Kind,
    Misfire,
    OnLeaseLoss,
    Overlap,
    SourceData,
    Strategy,
)
from shardkeeper.domain.validation.impls import impl_problems, source_problems
from shardkeeper.domain.validation.jobs import job_problems
from shardkeeper.domain.validation.limits import Limits
from shardkeeper.domain.validation.values import (
    UnknownChoice,
    read_choice,
    read_duration,
    read_durations,
    read_flag,
    read_instant,
    read_integer,
    read_names,
    read_number,
    read_object,
    read_text,
    read_texts,
)

T = TypeVar("T", JobSpec, ImplSpec, SourceData)
Reader = Callable[[object], Any]


@dataclass(frozen=True, slots=True)
class Reading(Generic[T]):
    """What a row came to: `spec` with defaults in place of what was wrong (None when a required column was), all
    problems, and what this version does not know."""

    spec: T | None
    problems: tuple[Problem, ...]
    unknown: tuple[str, ...]


def _interned(value: object) -> str:
    return sys.intern(read_text(value))


_JOB_READERS: dict[str, Reader] = {
    "name": read_text,
    "impl_spec": _interned,
    "cron": _interned,
    "every": read_duration,
    "run_at": read_instant,
    "starts_at": read_instant,
    "ends_at": read_instant,
    "sharding_total_count": read_integer,
    "sharding_item_parameters": read_texts,
    "sharding_strategy": partial(read_choice, Strategy),
    "parameters": read_object,
    "misfire": partial(read_choice, Misfire),
    "misfire_grace": read_duration,
    "catch_up_limit": read_integer,
    "overlap": partial(read_choice, Overlap),
    "failover": read_flag,
    "on_lease_loss": partial(read_choice, OnLeaseLoss),
    "max_attempts": read_integer,
    "max_takeovers": read_integer,
    "retry_delay": read_duration,
    "retry_backoff": read_number,
    "retry_max_delay": read_duration,
    "timeout": read_duration,
    "phase_timeouts": read_durations,
    "late_after": read_duration,
    "finish_within": read_duration,
    "priority": read_integer,
    "pool": _interned,
    "max_running": read_integer,
    "concurrency_key": _interned,
    "max_running_per_key": read_integer,
    "rate_limit": read_integer,
    "rate_period": read_duration,
    "follows": read_object,
    "retry_on": read_names,
    "give_up_on": read_names,
    "retention": read_duration,
    "parameters_schema": read_object,
    "parameters_limit": read_integer,
    "node_selector": read_texts,
    "alert": read_object,
    "labels": read_texts,
    "owner": _interned,
    "description": read_text,
    "enabled": read_flag,
}
_IMPL_READERS: dict[str, Reader] = {
    "name": read_text,
    "kind": partial(read_choice, Kind),
    "entrypoint": read_text,
    "parameters": read_object,
    "isolation": partial(read_choice, Isolation),
    "description": read_text,
}
_SOURCE_READERS: dict[str, Reader] = {
    "key": read_text,
    "weight": read_number,
    "location": read_text,
    "parameters": read_object,
    "enabled": read_flag,
}
_NULLABLE = frozenset(
    [
        "cron",
        "every",
        "run_at",
        "starts_at",
        "ends_at",
        "timeout",
        "late_after",
        "finish_within",
        "pool",
        "max_running",
        "concurrency_key",
        "rate_limit",
        "retention",
        "parameters_schema",
        "owner",
        "description",
        "location",
    ]
)
_REQUIRED: dict[type, list[str]] = {
    kind: [field.name for field in fields(kind) if field.default is MISSING]
    for kind in (JobSpec, ImplSpec, SourceData)
}
# so that the rest of a spec is judged too when a required column is missing or wrong
_STAND_INS = {"name": "x", "impl_spec": "x", "key": "x", "entrypoint": "x:x"}
_UNUSED: tuple[object, ...] = (None, {}, [], "")


def read_job_row(row: Mapping[str, Any], limits: Limits | None) -> Reading[JobSpec]:
    """Read a row of `job_spec`; judged by `limits`, or only by types when None. Never raises."""
    judge = None if limits is None else partial(_judge_job, limits)
    return _read(JobSpec, _JOB_READERS, {"version"}, row, judge)


def read_impl_row(row: Mapping[str, Any], limits: Limits | None) -> Reading[ImplSpec]:
    """Read a row of `impl_spec`; `kind` is python when it is left out. Never raises."""
    judge = None if limits is None else partial(_judge_impl, limits)
    return _read(ImplSpec, _IMPL_READERS, {"version"}, {"kind": "python", **row}, judge)


def read_source_row(row: Mapping[str, Any], limits: Limits | None) -> Reading[SourceData]:
    """Read a row of `source_data`. Never raises."""
    judge = None if limits is None else partial(_judge_source, limits)
    return _read(SourceData, _SOURCE_READERS, {"version", "impl_spec"}, row, judge)


def parse_job_row(row: Mapping[str, Any], limits: Limits | None = Limits()) -> JobSpec:  # noqa: B008 - frozen
    """The JobSpec in a row of `job_spec`. `limits` None judges types only (for versions that ran already).

    Raises UnknownSpec when the row uses what this version does not know, else SpecInvalid with all problems.
    """
    return _spec_of(read_job_row(row, limits))


def parse_impl_row(row: Mapping[str, Any], limits: Limits | None = Limits()) -> ImplSpec:  # noqa: B008 - frozen
    """The ImplSpec in a row of `impl_spec`. Raises UnknownSpec and SpecInvalid."""
    return _spec_of(read_impl_row(row, limits))


def parse_source_row(row: Mapping[str, Any], limits: Limits | None = Limits()) -> SourceData:  # noqa: B008 - frozen
    """The SourceData in a row of `source_data`. Raises UnknownSpec and SpecInvalid."""
    return _spec_of(read_source_row(row, limits))


def row_of(spec: JobSpec | ImplSpec | SourceData) -> dict[str, Any]:
    """The spec as a row, in the order of its columns: JSON values only, which the readers take back exactly."""
    return {field.name: _plain(getattr(spec, field.name)) for field in fields(spec)}


def _judge_job(limits: Limits, spec: JobSpec, given: Collection[str]) -> list[Problem]:
    return job_problems(spec, limits, given)


def _judge_impl(limits: Limits, spec: ImplSpec, given: Collection[str]) -> list[Problem]:
    return impl_problems(spec, limits=limits)


def _judge_source(limits: Limits, spec: SourceData, given: Collection[str]) -> list[Problem]:
    return source_problems(spec, limits=limits)


def _spec_of(reading: Reading[T]) -> T:
    if reading.unknown:
        raise UnknownSpec(reading.unknown)
    if reading.problems or reading.spec is None:
        raise SpecInvalid(reading.problems)
    return reading.spec


def _read(
    kind: type[T],
    readers: Mapping[str, Reader],
    passed_over: Collection[str],
    row: Mapping[str, Any],
    judge: Callable[[T, Collection[str]], list[Problem]] | None,
) -> Reading[T]:
    values: dict[str, Any] = {}
    problems: list[Problem] = []
    unknown: list[str] = []
    for column, value in row.items():
        reader = readers.get(column)
        if reader is None:
            if column not in passed_over and value not in _UNUSED:
                unknown.append(str(column))
        elif value is None and column in _NULLABLE:
            values[column] = None
        else:
            try:
                values[column] = reader(value)
            except UnknownChoice as wrong:
                unknown.append(f"{column} = {shown(value)}")
                problems.append(problem(column, value, wrong.reason, wrong.mend))
            except ValueInvalid as wrong:
                problems.append(problem(column, value, wrong.reason, wrong.mend))
    lacking = [name for name in _REQUIRED[kind] if name not in values]
    if lacking:
        problems += [
            problem(name, "", "is missing", "every spec needs it") for name in lacking if name not in row
        ]
        if not all(name in _STAND_INS for name in lacking):
            return Reading(None, tuple(problems), tuple(unknown))
        values.update((name, _STAND_INS[name]) for name in lacking)
    spec = kind(**values)
    if judge is not None and (judged := judge(spec, values)):
        told = {found.field for found in problems}
        problems += [found for found in judged if found.field not in told]
    return Reading(None if lacking else spec, tuple(problems), tuple(unknown))


def _plain(value: Any) -> Any:
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    return value
