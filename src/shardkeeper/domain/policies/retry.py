"""Whether an attempt that ended gets another try, and after how long."""

from __future__ import annotations

from datetime import timedelta
from math import log

from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.specs import JobSpec

JITTER = 0.2
"""The largest part by which a delay is shortened, so that items that failed together do not come back together."""

RETRIED = frozenset({AttemptStatus.FAILED, AttemptStatus.TIMED_OUT})
"""What is tried again. STOPPED (an order, or the task's own Cancel) is not; LOST is the takeover's business."""


def retry_after(
    spec: JobSpec, status: AttemptStatus, error_type: str | None, ended_tries: int, random_unit: float
) -> timedelta | None:
    """How long to wait before the next attempt; None when there is none.

    ``error_type``: what the attempt failed with. ``ended_tries``: tries of the item that ended badly, this one included
    (lost ones and those given back do not count). ``random_unit``: a random number in 0 <= x < 1.
    """
    if not is_retried(status, ended_tries, spec.max_attempts) or not is_worth(spec, error_type):
        return None
    return delay(spec.retry_delay, spec.retry_backoff, spec.retry_max_delay, ended_tries, random_unit)


def is_retried(status: AttemptStatus, ended_tries: int, max_attempts: int) -> bool:
    """Whether an attempt that ended with ``status`` is followed by another."""
    return status in RETRIED and ended_tries < max_attempts


def is_worth(spec: JobSpec, error_type: str | None) -> bool:
    """Whether another try may help after this error: not where ``give_up_on`` names it, and where ``retry_on`` names
    any, only after those. A name is the error's whole name or its last part: ``package.module.Class`` or ``Class``.
    """
    names = {error_type, error_type.rpartition(".")[2]} if error_type else set()
    if not names.isdisjoint(spec.give_up_on):
        return False
    return not spec.retry_on or not names.isdisjoint(spec.retry_on)


def delay(
    first: timedelta, backoff: float, longest: timedelta, ended_tries: int, random_unit: float
) -> timedelta:
    """``first`` * ``backoff`` ** (``ended_tries`` - 1), at most ``longest``, less up to a fifth by ``random_unit``.

    The jitter only shortens, so that ``longest`` holds and attempts at ``longest`` are spread too.
    """
    return _grown(first, backoff, longest, ended_tries - 1) * (1.0 - JITTER * random_unit)


def _grown(first: timedelta, backoff: float, longest: timedelta, times: int) -> timedelta:
    if first <= timedelta(0) or longest <= timedelta(0):
        return timedelta(0)
    # by logarithms first: the power itself may be too large for a float, and the product for a timedelta
    if times * log(backoff) >= log(longest / first):
        return longest
    return min(first * backoff**times, longest)
