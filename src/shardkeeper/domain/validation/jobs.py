"""What is wrong with a JobSpec: all of it at once, each with its field and mend."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import timedelta

from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.problems import Problem, problem
from shardkeeper.domain.specs import JobSpec, Misfire, Strategy
from shardkeeper.domain.validation.alerting import alert_problems
from shardkeeper.domain.validation.demand import DEMAND_FIELDS, follows_problems
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
    Check,
    wrong_duration,
    wrong_json,
    wrong_labels,
    wrong_name,
    wrong_number,
    wrong_text,
)
from shardkeeper.domain.validation.timing import timing_problems

PHASES = ("initialize", "calculate", "validate")


FIELDS: dict[str, Check] = {
    "name": lambda name, _: wrong_name(name),
    "impl_spec": lambda name, _: wrong_name(name),
    "sharding_total_count": lambda total, _: wrong_number(total, 1, MAX_SHARDING_TOTAL),
    "parameters": lambda parameters, limits: wrong_json(parameters, limits.max_parameters_bytes),
    "misfire_grace": lambda grace, _: wrong_duration(grace, LONGEST_SCHEDULE, zero=True),
    "catch_up_limit": lambda limit, _: wrong_number(limit, 1, MAX_CATCH_UP),
    "max_attempts": lambda attempts, _: wrong_number(attempts, 1, MAX_ATTEMPTS),
    "max_takeovers": lambda takeovers, _: wrong_number(takeovers, 0, MAX_ATTEMPTS),
    "retry_delay": lambda delay, _: wrong_duration(delay, LONGEST_RETRY, zero=True),
    "retry_backoff": lambda factor, _: wrong_number(factor, 1, MAX_BACKOFF),
    "retry_max_delay": lambda delay, _: wrong_duration(delay, LONGEST_RETRY, zero=True),
    "timeout": lambda timeout, _: wrong_duration(timeout, LONGEST_RUN),
    "late_after": lambda late, _: wrong_duration(late, LONGEST_RUN),
    "finish_within": lambda within, _: wrong_duration(within, LONGEST_RUN),
    "priority": lambda priority, _: wrong_number(priority, -MAX_PRIORITY, MAX_PRIORITY),
    "node_selector": lambda labels, _: wrong_labels(labels),
    "labels": lambda labels, _: wrong_labels(labels),
    "owner": lambda owner, _: wrong_text(owner, MAX_SHORT_TEXT),
    "description": lambda text, _: wrong_text(text, MAX_DESCRIPTION, lines=True),
    **DEMAND_FIELDS,
}
"""What judges each field that can be judged alone."""


def job_problems(
    spec: JobSpec,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    given: Collection[str] = FIELDS,
) -> list[Problem]:
    """Everything that is wrong with `spec` itself; an empty list for a valid one. Of fields that are not among the
    `given` ones it is known that they are at their defaults, which are right.

    Whether its ImplSpec exists and can be imported is for others to find out.
    """
    problems = _field_problems(spec, limits, given)
    problems += timing_problems(spec, limits)
    if spec.sharding_item_parameters:
        problems += _item_parameter_problems(spec)
    if spec.phase_timeouts:
        problems += _phase_problems(spec)
    if spec.misfire is Misfire.ALL:
        problems += _catch_up_problems(spec)
    if spec.follows:
        problems += follows_problems(spec)
    if spec.alert:
        problems += alert_problems(spec.alert)
    return problems


def _field_problems(spec: JobSpec, limits: Limits, given: Collection[str]) -> list[Problem]:
    """What is wrong with fields by themselves."""
    found = []
    for field in given:
        check = FIELDS.get(field)
        if check is not None and (wrong := check(value := getattr(spec, field), limits)) is not None:
            found.append(problem(field, _shown(value), *wrong))
    return found


def _shown(value: object) -> object:
    if isinstance(value, timedelta):
        return format_duration(value)
    return list(value) if isinstance(value, tuple) else value


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
    """Of a job that makes up for all."""
    items = spec.catch_up_limit * spec.sharding_total_count
    if items > MAX_CATCH_UP_ITEMS:
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
