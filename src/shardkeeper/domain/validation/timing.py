"""What is wrong with when a job is due."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shardkeeper.domain.cron import CronInvalid
from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.schedule import MICROSECOND, fires_of, items_per_second
from shardkeeper.domain.specs import JobSpec
from shardkeeper.domain.validation.limits import FIRST_INSTANT, LONGEST_SCHEDULE, Limits
from shardkeeper.domain.validation.shapes import wrong_duration, wrong_instant


def timing_problems(spec: JobSpec, limits: Limits) -> Iterator[Problem]:
    """More than one way to be due, a schedule that cannot be read or never fires, and too many items a second."""
    given = [f for f in ("cron", "every", "run_at") if getattr(spec, f) is not None]
    if len(given) > 1:
        yield problem(given[1], " and ".join(given), "more than one schedule is given", "keep one of them")
    bounded = spec.starts_at is not None or spec.ends_at is not None
    bounds = list(_bound_problems(spec)) if bounded or spec.run_at is not None else []
    yield from bounds
    if wrong := wrong_duration(spec.every, LONGEST_SCHEDULE):
        yield problem("every", format_duration(spec.every or timedelta(0)), *wrong)
        return
    try:
        fires = fires_of(spec)
    except CronInvalid as refusal:
        yield problem("cron", spec.cron, refusal.reason, refusal.mend)
        return
    if fires is None:
        return
    yield from _rate_problems(spec, limits)
    if bounded and not bounds and fires.next_after(FIRST_INSTANT - MICROSECOND) is None:
        yield problem(
            "starts_at", "", "no fire lies between starts_at and ends_at", "move them, or the schedule"
        )


def _bound_problems(spec: JobSpec) -> Iterator[Problem]:
    for field in ("run_at", "starts_at", "ends_at"):
        if wrong := wrong_instant(getattr(spec, field)):
            yield problem(field, getattr(spec, field), *wrong)
            return
    if spec.starts_at is not None and spec.ends_at is not None and spec.ends_at <= spec.starts_at:
        yield problem("ends_at", spec.ends_at.isoformat(), "is not after starts_at", "move one of them")


def _rate_problems(spec: JobSpec, limits: Limits) -> Iterator[Problem]:
    if spec.cron is not None and spec.sharding_total_count <= limits.max_items_per_second:
        return  # no cron expression fires more than once a second
    rate = items_per_second(spec)
    if rate > limits.max_items_per_second:
        yield problem(
            "sharding_total_count",
            spec.sharding_total_count,
            f"makes {float(rate):g} items per second; max_items_per_second is {limits.max_items_per_second:g}",
            "lower the total count, fire less often, or raise the limit",
        )
