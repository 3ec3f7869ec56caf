"""What is wrong with what a job says of shared limits, retries by error, the jobs it follows, and its submissions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any

from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.specs import JobSpec
from shardkeeper.domain.validation.json_schema import schema_problem
from shardkeeper.domain.validation.limits import (
    LONGEST_RETRY,
    LONGEST_SCHEDULE,
    MAX_NAMED,
    MAX_PARAMETERS_BYTES,
    MAX_RATE,
    MAX_RUNNING,
    MAX_SCHEMA_BYTES,
    MAX_SHORT_TEXT,
)
from shardkeeper.domain.validation.shapes import (
    Check,
    Wrong,
    wrong_duration,
    wrong_json,
    wrong_name,
    wrong_number,
    wrong_text,
)

FOLLOWED = ("completed", "failed", "ended")
SHORTEST_PERIOD = timedelta(milliseconds=1)
SHORTEST_RETENTION = timedelta(minutes=1)


def _wrong_schema(schema: Mapping[str, Any] | None) -> Wrong:
    if schema is None:
        return None
    unfit = wrong_json(schema, MAX_SCHEMA_BYTES)
    if unfit is not None:
        return unfit
    found = schema_problem(schema)
    if found is None:
        return None
    return (
        f"cannot be judged: {found}",
        "use the keywords of JSON Schema that docs/reference/sql.md lists",
    )


def follows_problems(spec: JobSpec) -> Iterator[Problem]:
    """What is wrong with the jobs that this one follows, as far as it shows on its own."""
    follows = spec.follows
    yield from _key_problems(follows)
    jobs = follows.get("jobs")
    if not isinstance(jobs, list | tuple) or not 1 <= len(jobs) <= MAX_NAMED:
        yield problem("follows.jobs", jobs, f"is not a list of 1 to {MAX_NAMED} jobs", 'write ["name"]')
        return
    for name in jobs:
        if not isinstance(name, str) or wrong_name(name):
            yield problem("follows.jobs", name, "is not the name of a job", "write a name from job_spec")
        elif name == spec.name:
            yield problem("follows.jobs", name, "is the job itself", "a job cannot follow itself")
    if any(times is not None for times in (spec.cron, spec.every, spec.run_at)):
        yield problem("follows", follows, "stands beside a schedule", "leave out cron, every and run_at")


def _key_problems(follows: Mapping[str, Any]) -> Iterator[Problem]:
    for key in follows:
        if key not in ("jobs", "on"):
            yield problem("follows", key, "is not a key of follows", "write jobs and on")
    on = follows.get("on", "completed")
    if on not in FOLLOWED:
        yield problem("follows.on", on, "is not known", f"write one of {', '.join(FOLLOWED)}")


def _wrong_pool(pool: str | None) -> Wrong:
    return None if pool is None else wrong_name(pool)


def _wrong_count(count: int | None, most: int) -> Wrong:
    return None if count is None else wrong_number(count, 1, most)


def _wrong_key(key: str | None) -> Wrong:
    return ("is empty", "write a parameter's name") if key == "" else wrong_text(key, MAX_SHORT_TEXT)


def _wrong_span(span: timedelta | None, shortest: timedelta, longest: timedelta) -> Wrong:
    if span is not None and timedelta(0) < span < shortest:
        return (f"is shorter than {shortest.total_seconds():g} s", "write a longer time")
    return wrong_duration(span, longest)


def _wrong_names(names: tuple[str, ...]) -> Wrong:
    if len(names) > MAX_NAMED:
        return (f"has more than {MAX_NAMED} names", "keep fewer")
    for name in names:
        if not name or wrong_text(name, MAX_SHORT_TEXT):
            return (f"has what is no name of an error: {name!r:.60}", 'write for example "ValueError"')
    return None


DEMAND_FIELDS: dict[str, Check] = {
    "pool": lambda pool, _: _wrong_pool(pool),
    "max_running": lambda count, _: _wrong_count(count, MAX_RUNNING),
    "concurrency_key": lambda key, _: _wrong_key(key),
    "max_running_per_key": lambda count, _: _wrong_count(count, MAX_RUNNING),
    "rate_limit": lambda count, _: _wrong_count(count, MAX_RATE),
    "rate_period": lambda period, _: _wrong_span(period, SHORTEST_PERIOD, LONGEST_RETRY),
    "retry_on": lambda names, _: _wrong_names(names),
    "give_up_on": lambda names, _: _wrong_names(names),
    "retention": lambda span, _: _wrong_span(span, SHORTEST_RETENTION, LONGEST_SCHEDULE),
    "parameters_schema": lambda schema, _: _wrong_schema(schema),
    "parameters_limit": lambda limit, _: wrong_number(limit, 2, MAX_PARAMETERS_BYTES),
}
"""What judges each field that can be judged alone."""
