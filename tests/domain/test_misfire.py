"""Misfire policies: every missed fire is accounted for, exactly once, whatever the policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from shardkeeper.domain.policies.misfire import Gap, MissedRange, account, gaps_without_runs
from shardkeeper.domain.schedule import EverySchedule
from shardkeeper.domain.specs import Misfire

SECOND, HOUR, DAY = timedelta(seconds=1), timedelta(hours=1), timedelta(days=1)
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
HOURLY = EverySchedule(HOUR)
FIVE_HOURS = [Gap(HOURLY, NOON - 5 * HOUR, NOON)]


def test_once_runs_the_latest_and_records_the_others_as_one_range() -> None:
    outcome = account(FIVE_HOURS, Misfire.ONCE, DAY, 100, NOON + SECOND)
    assert outcome.runs == (NOON,)
    (missed,) = outcome.missed
    assert (missed.fire_time, missed.fire_until, missed.count) == (NOON - 4 * HOUR, NOON - HOUR, 4)
    assert "once" in missed.reason


def test_skip_runs_none_and_records_one_range() -> None:
    outcome = account(FIVE_HOURS, Misfire.SKIP, DAY, 100, NOON)
    assert outcome.runs == ()
    assert outcome.missed == (MissedRange(NOON - 4 * HOUR, NOON, 5, "misfire policy skip"),)


def test_all_runs_each() -> None:
    outcome = account(FIVE_HOURS, Misfire.ALL, DAY, 100, NOON)
    assert outcome.runs == tuple(NOON - n * HOUR for n in (4, 3, 2, 1, 0))
    assert outcome.missed == ()


def test_all_beyond_its_limit_runs_the_newest_and_records_the_older_as_one_range() -> None:
    outcome = account(FIVE_HOURS, Misfire.ALL, DAY, 2, NOON)
    assert outcome.runs == (NOON - HOUR, NOON)
    assert outcome.missed == (MissedRange(NOON - 4 * HOUR, NOON - 2 * HOUR, 3, "beyond catch_up_limit"),)


def test_what_is_older_than_the_grace_is_missed_under_every_policy() -> None:
    for policy in Misfire:
        outcome = account(FIVE_HOURS, policy, HOUR / 2, 100, NOON + HOUR)
        assert outcome.runs == ()
        assert outcome.missed == (MissedRange(NOON - 4 * HOUR, NOON, 5, "older than misfire_grace"),)


def test_a_fire_exactly_as_old_as_the_grace_still_runs() -> None:
    assert account(FIVE_HOURS, Misfire.ONCE, HOUR, 100, NOON + HOUR).runs == (NOON,)


def test_what_is_dropped_for_two_reasons_is_one_range_that_names_both() -> None:
    outcome = account(FIVE_HOURS, Misfire.ALL, 3 * HOUR, 2, NOON)
    (missed,) = outcome.missed
    assert missed.count == 3
    assert missed.reason == "1 older than misfire_grace, 2 beyond catch_up_limit"


def test_a_lone_missed_fire_runs_and_leaves_no_range() -> None:
    outcome = account([Gap(HOURLY, NOON - SECOND, NOON)], Misfire.ONCE, DAY, 100, NOON)
    assert (outcome.runs, outcome.missed) == ((NOON,), ())


def test_a_range_never_covers_a_fire_that_ran() -> None:
    gaps = gaps_without_runs(HOURLY, NOON - 5 * HOUR, NOON, [NOON - 2 * HOUR, NOON - 9 * HOUR])
    outcome = account(gaps, Misfire.ONCE, DAY, 100, NOON)
    assert outcome.runs == (NOON,)
    assert [(m.fire_time, m.fire_until, m.count) for m in outcome.missed] == [
        (NOON - 4 * HOUR, NOON - 3 * HOUR, 2),
        (NOON - HOUR, NOON - HOUR, 1),
    ]


def test_nothing_missed_is_nothing_to_do() -> None:
    gaps = gaps_without_runs(HOURLY, NOON - 2 * HOUR, NOON, [NOON - HOUR, NOON])
    assert gaps == []
    outcome = account(gaps, Misfire.ALL, DAY, 100, NOON)
    assert (outcome.runs, outcome.missed) == ((), ())


def test_fifty_years_of_missed_seconds_are_one_range() -> None:
    gap = Gap(EverySchedule(SECOND), datetime(1970, 1, 1, tzinfo=UTC), NOON)
    outcome = account([gap], Misfire.ALL, DAY, 100, NOON)
    assert len(outcome.runs) == 100
    (missed,) = outcome.missed
    assert missed.count + 100 == gap.fires.count_between(gap.after, gap.until)


@settings(deadline=None)
@given(
    st.sampled_from(Misfire),
    st.integers(1, 90),
    st.integers(0, 12),
    st.sets(st.integers(0, 60), max_size=12),
    st.integers(0, 4),
)
def test_every_fire_runs_or_lies_in_exactly_one_range(
    policy: Misfire, grace_minutes: int, limit: int, ran: set[int], late_minutes: int
) -> None:
    minute = timedelta(minutes=1)
    minutely, start = EverySchedule(minute), NOON - HOUR
    fires = minutely.between(start, NOON, 100)
    with_run = [NOON - n * minute for n in ran]
    now = NOON + late_minutes * minute
    gaps = gaps_without_runs(minutely, start, NOON, with_run)
    outcome = account(gaps, policy, grace_minutes * minute, limit, now)
    in_ranges = [
        fire for m in outcome.missed for fire in minutely.between(m.fire_time - minute, m.fire_until, 100)
    ]
    assert sum(m.count for m in outcome.missed) == len(in_ranges)
    assert sorted([*outcome.runs, *in_ranges]) == [fire for fire in fires if fire not in with_run]
    fresh = [fire for fire in fires if fire not in with_run and now - fire <= grace_minutes * minute]
    allowed = {Misfire.SKIP: 0, Misfire.ONCE: 1, Misfire.ALL: limit}[policy]
    assert list(outcome.runs) == fresh[len(fresh) - min(allowed, len(fresh)) :]
