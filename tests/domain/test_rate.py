"""The rate of a job's starts: never more than it gives and one burst, and never less than it gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.policies.rate import paid_with, starts_now

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)

limits = st.integers(1, 50)
periods = st.integers(1_000, 10_000_000).map(lambda us: timedelta(microseconds=us))
asked = st.lists(st.tuples(st.integers(0, 5_000_000), st.integers(1, 60)), min_size=1, max_size=60)
"""Microseconds after the asking before, and how many would start."""


def started(limit: int, period: timedelta, asking: list[tuple[int, int]]) -> list[tuple[datetime, int]]:
    """How many were let start, by the instant."""
    paid_until: datetime | None = None
    found: list[tuple[datetime, int]] = []
    elapsed = accumulate(gap for gap, _ in asking)
    for (_, wanted), after in zip(asking, elapsed, strict=True):
        now = T0 + timedelta(microseconds=after)
        starts = min(wanted, starts_now(paid_until, limit, period, now))
        paid_until = paid_with(paid_until, starts, limit, period, now)
        found.append((now, starts))
    return found


@given(limits, periods, asked)
def test_in_no_window_start_more_than_the_rate_gives_for_it_and_one_burst(
    limit: int, period: timedelta, asking: list[tuple[int, int]]
) -> None:
    found = started(limit, period, asking)
    for first in range(len(found)):
        starts = 0
        for now, count in found[first:]:
            starts += count
            assert starts <= limit + limit * ((now - found[first][0]) / period) + 0.01


@given(st.integers(2, 50), periods, asked)
def test_who_always_wants_gets_all_that_the_rate_gives(
    limit: int, period: timedelta, asking: list[tuple[int, int]]
) -> None:
    # not so seldom that the burst is full again: what is over then is lost
    eager = [(min(gap, period // timedelta(microseconds=2)), limit) for gap, _ in asking]
    found = started(limit, period, eager)
    assert found[0][1] == limit
    given_out = sum(count for _, count in found)
    # a part of a start is kept for later; costs are rounded up to a microsecond
    rounding = given_out * limit / (period / timedelta(microseconds=1))
    assert given_out >= limit + int(limit * ((found[-1][0] - found[0][0]) / period) - rounding) - 1


@given(limits, periods, st.integers(-10_000_000, 10_000_000))
def test_after_a_period_without_starts_a_whole_burst_is_there_and_no_more(
    limit: int, period: timedelta, offset: int
) -> None:
    paid_until = T0 + timedelta(microseconds=offset)
    assert starts_now(paid_until, limit, period, max(paid_until, T0) + period * 3) == limit
    assert starts_now(None, limit, period, T0) == limit


@pytest.mark.parametrize("back", [timedelta(hours=1), timedelta(days=400)])
def test_a_clock_that_was_set_back_holds_starts_for_no_longer_than_a_period(back: timedelta) -> None:
    period = timedelta(seconds=10)
    paid_until = paid_with(None, 5, 5, period, T0 + back)
    assert starts_now(paid_until, 5, period, T0) == 0
    paid_until = paid_with(paid_until, 0, 5, period, T0)
    assert starts_now(paid_until, 5, period, T0 + period) == 5
