"""Schedules: laws that hold for all kinds, and what each kind promises."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shardkeeper.domain.cron import parse_cron
from shardkeeper.domain.schedule import (
    CronSchedule,
    EverySchedule,
    Fires,
    OnceSchedule,
    Schedule,
    fires_of,
    items_per_second,
    schedule_of,
)
from shardkeeper.domain.specs import JobSpec, Strategy

MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# hypothesis takes naive bounds and adds the zone
FIRST, LAST = datetime(1960, 1, 1), datetime(2100, 1, 1)  # noqa: DTZ001
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
PERIODS = st.timedeltas(MICROSECOND, timedelta(days=4000))
CRONS = st.sampled_from(
    ["* * * * * *", "*/7 * * * *", "0 9 * * mon-fri", "0 0 L * *", "0 0 29 2 *", "30 5 4 15W * tue#2"]
).map(lambda text: CronSchedule(parse_cron(text, "j")))
PLAIN: st.SearchStrategy[Schedule] = st.one_of(CRONS, PERIODS.map(EverySchedule), INSTANTS.map(OnceSchedule))
MAYBE = st.one_of(st.none(), INSTANTS)
SCHEDULES: st.SearchStrategy[Schedule] = st.one_of(PLAIN, st.builds(Fires, PLAIN, MAYBE, MAYBE))


@settings(deadline=None)
@given(SCHEDULES, INSTANTS)
def test_the_next_fire_is_strictly_later_and_is_its_own_latest(schedule: Schedule, instant: datetime) -> None:
    instants = [instant]
    while len(instants) < 6 and (following := schedule.next_after(instants[-1])) is not None:
        instants.append(following)
    assert instants == sorted(set(instants))
    for fire in instants[1:]:
        assert schedule.latest_until(fire) == fire
        assert schedule.next_after(fire - MICROSECOND) == fire


@settings(deadline=None)
@given(SCHEDULES, INSTANTS, st.integers(0, 8))
def test_between_and_counts_agree_with_going_on_from_fire_to_fire(
    schedule: Schedule, start: datetime, steps: int
) -> None:
    fires: list[datetime] = []
    instant = start
    for _ in range(steps):
        following = schedule.next_after(instant)
        if following is None:
            break
        fires.append(following)
        instant = following
    end = instant
    assert schedule.between(start, end, 100) == fires
    assert schedule.between(start, end, 3) == fires[:3]
    assert schedule.last_between(start, end, 100) == fires
    assert schedule.last_between(start, end, 3) == fires[-3:]
    assert schedule.last_between(start, end, 0) == []
    assert schedule.count_between(start, end) == len(fires)
    if fires:
        assert schedule.latest_until(end) == fires[-1]
        assert schedule.count_between(start, end - MICROSECOND) == len(fires) - 1


@settings(deadline=None)
@given(SCHEDULES, INSTANTS, INSTANTS, INSTANTS)
def test_counts_add_up(schedule: Schedule, a: datetime, b: datetime, c: datetime) -> None:
    a, b, c = sorted([a, b, c])
    assert schedule.count_between(a, b) + schedule.count_between(b, c) == schedule.count_between(a, c)
    assert schedule.count_between(c, a) == 0


@given(PERIODS, INSTANTS)
def test_every_is_anchored_at_the_epoch_for_all_nodes_alike(period: timedelta, instant: datetime) -> None:
    following = EverySchedule(period).next_after(instant)
    assert following is not None
    assert (following - EPOCH) % period == timedelta(0)
    assert instant < following <= instant + period


def test_a_start_in_1970_with_one_second_costs_nothing() -> None:
    fires = Fires(EverySchedule(timedelta(seconds=1)), starts_at=EPOCH)
    now = datetime(2026, 11, 21, 3, 0, 0, 500, tzinfo=UTC)
    assert fires.next_after(now) == datetime(2026, 11, 21, 3, 0, 1, tzinfo=UTC)
    assert fires.count_between(EPOCH - MICROSECOND, now) == 1_795_230_001
    assert fires.last_between(EPOCH, now, 2) == [
        datetime(2026, 11, 21, 2, 59, 59, tzinfo=UTC),
        now.replace(microsecond=0),
    ]


def test_every_ends_where_dates_end() -> None:
    schedule = EverySchedule(timedelta(days=3650))
    assert schedule.next_after(datetime.max.replace(tzinfo=UTC)) is None
    assert schedule.latest_until(datetime.min.replace(tzinfo=UTC)) is None
    assert schedule.last_between(datetime.min.replace(tzinfo=UTC), EPOCH, 1000)[-1] == EPOCH


def test_a_period_that_is_not_positive_is_refused() -> None:
    with pytest.raises(ValueError, match="positive"):
        EverySchedule(timedelta(0))


def test_once_fires_once() -> None:
    at = datetime(2026, 11, 21, 3, tzinfo=UTC)
    once = OnceSchedule(at)
    assert once.between(EPOCH, at, 10) == [at]
    assert once.next_after(at) is None
    assert once.latest_until(at - MICROSECOND) is None


def test_fires_exactly_at_either_bound_are_due_and_none_beyond() -> None:
    day = timedelta(days=1)
    start = datetime(2026, 11, 21, tzinfo=UTC)
    fires = Fires(EverySchedule(day), starts_at=start, ends_at=start + 2 * day)
    expected = [start, start + day, start + 2 * day]
    assert fires.between(EPOCH, start + 100 * day, 100) == expected
    assert fires.last_between(EPOCH, start + 100 * day, 100) == expected
    assert fires.count_between(EPOCH, start + 100 * day) == 3
    assert fires.latest_until(start - MICROSECOND) is None


def test_jobs_with_an_equal_schedule_share_it_whatever_their_bounds() -> None:
    a = JobSpec("a", "impl", cron="*/5 * * * *", starts_at=EPOCH)
    b = JobSpec("b", "impl", cron="0-59/5 * * * *")
    assert len({schedule_of(a), schedule_of(b)}) == 1
    assert fires_of(a) != fires_of(b)
    assert schedule_of(JobSpec("c", "impl", cron="H H * * *")) != schedule_of(
        JobSpec("d", "impl", cron="H H * * *")
    )


def test_a_job_on_demand_has_no_schedule() -> None:
    assert schedule_of(JobSpec("a", "impl")) is None
    assert fires_of(JobSpec("a", "impl")) is None
    assert items_per_second(JobSpec("a", "impl")) == 0


@pytest.mark.parametrize(
    ("spec", "rate"),
    [
        (JobSpec("a", "impl", every=timedelta(milliseconds=100), sharding_total_count=7), Fraction(70)),
        (JobSpec("a", "impl", cron="0,59 * * * * *", sharding_total_count=7), Fraction(7)),
        (JobSpec("a", "impl", cron="0 3 * * *", sharding_total_count=8640), Fraction(1, 10)),
        (JobSpec("a", "impl", run_at=EPOCH, sharding_total_count=7), Fraction(0)),
        (JobSpec("a", "impl", every=timedelta(seconds=1), sharding_total_count=7,
                 sharding_strategy=Strategy.EACH_NODE), Fraction(1)),
    ],
)  # fmt: skip
def test_items_per_second_is_told_by_the_densest_fires(spec: JobSpec, rate: Fraction) -> None:
    assert items_per_second(spec) == rate
