"""What is wrong with a JobSpec: all of it at once, each with its field and mend."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.specs import JobSpec, Misfire, Strategy
from shardkeeper.domain.validation.alerting import alert_problems
from shardkeeper.domain.validation.demand import demand_fields, follows_problems
from shardkeeper.domain.validation.limits import (
    LONGEST_RETRY,
    LONGEST_RUN,
    LONGEST_SCHEDULE,
    MAX_ATTEMPTS,
    MAX_BACKOFF,
    MAX_CATCH_UP,
    MAX_CATCH_UP_ITEMS,
    MAX_DESCRIPTION,
    MAX_PRIORITY,
    MAX_SHARDING_TOTAL,
    MAX_SHORT_TEXT,
    Limits,
)
from shardkeeper.domain.validation.shapes import (
    Wrong,
    wrong_duration,
    wrong_json,
    wrong_labels,
    wrong_name,
    wrong_number,
    wrong_text,
)
from shardkeeper.domain.validation.timing import timing_problems

PHASES = ("initialize", "calculate", "validate")


def job_problems(spec: JobSpec, limits: Limits = Limits()) -> list[Problem]:  # noqa: B008 - frozen
    """Everything that is wrong with `spec` itself; an empty list for a valid one.

    Whether its ImplSpec exists and can be imported is for others to find out.
    """
    problems = [
        problem(field, format_duration(value) if isinstance(value, timedelta) else value, *wrong)
        for field, value, wrong in (*_single_fields(spec, limits), *demand_fields(spec))
        if wrong is not None
    ]
    problems += timing_problems(spec, limits)
    problems += _item_parameter_problems(spec)
    problems += _phase_problems(spec)
    problems += _catch_up_problems(spec)
    problems += follows_problems(spec)
    problems += alert_problems(spec.alert)
    return problems


def _single_fields(spec: JobSpec, limits: Limits) -> Iterator[tuple[str, object, Wrong]]:
    """Each field that can be judged alone: its name, value, and what is wrong with it."""
    yield "name", spec.name, wrong_name(spec.name)
    yield "impl_spec", spec.impl_spec, wrong_name(spec.impl_spec)
    total = spec.sharding_total_count
    yield "sharding_total_count", total, wrong_number(total, 1, MAX_SHARDING_TOTAL)
    yield "parameters", spec.parameters, wrong_json(spec.parameters, limits.max_parameters_bytes)
    yield "misfire_grace", spec.misfire_grace, wrong_duration(spec.misfire_grace, LONGEST_SCHEDULE, zero=True)
    yield "catch_up_limit", spec.catch_up_limit, wrong_number(spec.catch_up_limit, 1, MAX_CATCH_UP)
    yield "max_attempts", spec.max_attempts, wrong_number(spec.max_attempts, 1, MAX_ATTEMPTS)
    yield "max_takeovers", spec.max_takeovers, wrong_number(spec.max_takeovers, 0, MAX_ATTEMPTS)
    yield "retry_delay", spec.retry_delay, wrong_duration(spec.retry_delay, LONGEST_RETRY, zero=True)
    yield "retry_backoff", spec.retry_backoff, wrong_number(spec.retry_backoff, 1, MAX_BACKOFF)
    yield (
        "retry_max_delay",
        spec.retry_max_delay,
        wrong_duration(spec.retry_max_delay, LONGEST_RETRY, zero=True),
    )
    yield "timeout", spec.timeout, wrong_duration(spec.timeout, LONGEST_RUN)
    yield "late_after", spec.late_after, wrong_duration(spec.late_after, LONGEST_RUN)
    yield "finish_within", spec.finish_within, wrong_duration(spec.finish_within, LONGEST_RUN)
    yield "priority", spec.priority, wrong_number(spec.priority, -MAX_PRIORITY, MAX_PRIORITY)
    yield "node_selector", spec.node_selector, wrong_labels(spec.node_selector)
    yield "labels", spec.labels, wrong_labels(spec.labels)
    yield "owner", spec.owner, wrong_text(spec.owner, MAX_SHORT_TEXT)
    yield "description", spec.description, wrong_text(spec.description, MAX_DESCRIPTION, lines=True)


def _item_parameter_problems(spec: JobSpec) -> Iterator[Problem]:
    field = "sharding_item_parameters"
    each_node = spec.sharding_strategy is Strategy.EACH_NODE
    total = MAX_SHARDING_TOTAL if each_node else min(spec.sharding_total_count, MAX_SHARDING_TOTAL)
    for item, text in spec.sharding_item_parameters.items():
        if not (
            item.isascii()
            and item.isdigit()
            and len(item) <= 5
            and str(int(item)) == item
            and int(item) < total
        ):
            yield problem(
                field, item, f"is not an item from 0 to {total - 1}", "correct it, or raise the total count"
            )
        if wrong := wrong_text(text, MAX_DESCRIPTION):
            yield problem(field, text, *wrong)


def _catch_up_problems(spec: JobSpec) -> Iterator[Problem]:
    items = spec.catch_up_limit * spec.sharding_total_count
    if spec.misfire is Misfire.ALL and items > MAX_CATCH_UP_ITEMS:
        yield problem(
            "catch_up_limit",
            spec.catch_up_limit,
            f"means up to {items} items at once with {spec.sharding_total_count} items a run",
            f"write at most {max(1, MAX_CATCH_UP_ITEMS // spec.sharding_total_count)}",
        )


def _phase_problems(spec: JobSpec) -> Iterator[Problem]:
    for phase, timeout in spec.phase_timeouts.items():
        if phase not in PHASES:
            yield problem("phase_timeouts", phase, "is not a phase", f"write one of {', '.join(PHASES)}")
        if wrong := wrong_duration(timeout, LONGEST_RUN):
            yield problem("phase_timeouts", f"{phase}: {format_duration(timeout)}", *wrong)
