"""How often a job's attempts may start: the generic cell rate algorithm (GCRA, ITU-T I.371) as a virtual schedule.

One instant is kept for each job: up to when its starts are paid for. A start costs its part of the period; so much as
one whole period may be paid ahead, which makes the burst as large as the rate. In any span of time there are at most
as many starts as the rate gives for it, and one burst. The formula is that of ``sql/0001/0415_limits.sql``.
"""

from __future__ import annotations

from datetime import datetime, timedelta

_MICROSECOND = timedelta(microseconds=1)
_TOLERANCE = 1_000
"""A thousandth of a start makes up for costs that are rounded up to microseconds."""


def starts_now(paid_until: datetime | None, limit: int, period: timedelta, now: datetime) -> int:
    """How many starts the rate of ``limit`` per ``period`` allows at ``now``, from 0 to ``limit``."""
    whole = period // _MICROSECOND
    ahead = 0 if paid_until is None else (paid_until - now) // _MICROSECOND
    free = whole - min(max(ahead, 0), whole)
    return (free * limit * _TOLERANCE + whole) // (whole * _TOLERANCE)


def paid_with(
    paid_until: datetime | None, starts: int, limit: int, period: timedelta, now: datetime
) -> datetime:
    """Up to when starts are paid for after ``starts`` more.

    Never more than a period ahead before them: the clock may have been set back, or the period made shorter."""
    before = now if paid_until is None else min(max(paid_until, now), now + period)
    cost = -(-starts * (period // _MICROSECOND) // limit)
    return before + cost * _MICROSECOND
