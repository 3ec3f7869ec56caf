"""The arithmetic, against a matcher too simple to be wrong and against croniter's own walk."""

from __future__ import annotations

import calendar
from datetime import UTC, datetime, timedelta

import pytest
from croniter import croniter
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from shardkeeper.domain.cron import parse_cron

MINUTE = timedelta(minutes=1)


def values(low: int, high: int) -> st.SearchStrategy[str]:
    """Fields that both readers understand in the same way."""
    number = st.integers(low, high).map(str)
    spans = st.tuples(st.integers(low, high - 1), st.integers(low, high)).filter(
        lambda ends: ends[0] < ends[1]
    )
    span = spans.map(lambda ends: f"{ends[0]}-{ends[1]}")
    step = st.integers(2, high - low).map(lambda n: f"*/{n}")
    return st.one_of(
        st.just("*"), step, st.lists(st.one_of(number, span), min_size=1, max_size=3).map(",".join)
    )


EXPRESSIONS = st.tuples(values(0, 59), values(0, 23), values(1, 28), values(1, 12), values(0, 6)).map(
    " ".join
)
# hypothesis takes naive bounds and adds the zone
FIRST, LAST = datetime(1971, 1, 1), datetime(2090, 1, 1)  # noqa: DTZ001
INSTANTS = st.datetimes(FIRST, LAST, timezones=st.just(UTC))


def numbers(field: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for part in field.split(","):
        span, _, step = part.partition("/")
        first, _, last = span.partition("-")
        start, end = (low, high) if span == "*" else (int(first), int(last or first))
        found.update(range(start, end + 1, int(step or 1)))
    return found


def naively_matches(expression: str, instant: datetime) -> bool:
    minute, hour, day, month, weekday = expression.split()
    if instant.minute not in numbers(minute, 0, 59) or instant.hour not in numbers(hour, 0, 23):
        return False
    if instant.month not in numbers(month, 1, 12):
        return False
    by_date = instant.day in numbers(day, 1, 31)
    by_weekday = instant.isoweekday() % 7 in numbers(weekday, 0, 6)
    if day == "*" or weekday == "*":
        return by_date and by_weekday
    return by_date or by_weekday


@settings(max_examples=60, deadline=None)
@given(EXPRESSIONS, INSTANTS)
def test_fires_agree_with_a_naive_walk_minute_by_minute(expression: str, start: datetime) -> None:
    times = parse_cron(expression, "j")
    first = start.replace(second=0, microsecond=0)
    walk = [first + n * MINUTE for n in range(2 * 24 * 60)]
    expected = [at for at in walk if naively_matches(expression, at)]
    before, end = first - timedelta(microseconds=1), walk[-1]
    found, instant = [], before
    while (following := times.next_after(instant)) is not None and following <= end:
        found.append(following)
        instant = following
    assert found == expected
    assert times.count_between(before, end) == len(expected)
    latest = times.latest_until(end)
    assert latest == expected[-1] if expected else latest is None or latest < first


@settings(max_examples=100, deadline=None)
@given(EXPRESSIONS, INSTANTS)
def test_the_next_and_the_latest_fire_agree_with_croniter(expression: str, start: datetime) -> None:
    _, _, day, _, weekday = expression.split()
    # croniter takes 0-6 beside */n for `*`; here, as in cron, both are given and either counts
    assume(weekday == "*" or "*" not in day or len(numbers(weekday, 0, 6)) < 7)
    times = parse_cron(expression, "j")
    assert times.next_after(start) == croniter(expression, start).get_next(datetime)
    assert times.latest_until(start - timedelta(microseconds=1)) == croniter(expression, start).get_prev(
        datetime
    )


SPECIAL_DAYS = st.sampled_from(["1W", "15W", "31W", "LW", "L", "L-2", "30", "31"])
SPECIAL_WEEKDAYS = st.sampled_from(["*", "mon#1", "fri#5", "0L", "6L", "tue#3"])


def naive_days(day: str, weekday: str, year: int, month: int) -> set[int]:
    length = calendar.monthrange(year, month)[1]
    dates = range(1, length + 1)
    weekdays = {d: datetime(year, month, d, tzinfo=UTC).strftime("%a").lower() for d in dates}
    names = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
    found = set()
    if day.endswith("W"):
        wanted = length if day == "LW" else int(day[:-1])
        work = [d for d in dates if weekdays[d] not in ("sat", "sun")]
        if wanted <= length:
            # Friday wins over Monday for a Saturday because it is nearer; no day ties
            found.add(min(work, key=lambda d: abs(d - wanted)))
    elif day.startswith("L"):
        found.add(length - int(day[2:] or 0))
    else:
        found.add(int(day))
    if "#" in weekday:
        name, n = weekday.split("#")
        found.update([d for d in dates if weekdays[d] == name][int(n) - 1 : int(n)])
    elif weekday.endswith("L"):
        found.add(max(d for d in dates if weekdays[d] == names[int(weekday[0])]))
    return {d for d in found if d <= length}


@settings(deadline=None)
@given(SPECIAL_DAYS, SPECIAL_WEEKDAYS, st.integers(1971, 2090), st.integers(1, 12))
def test_special_days_agree_with_a_naive_calendar(day: str, weekday: str, year: int, month: int) -> None:
    times = parse_cron(f"0 0 {day} * {weekday}", "j")
    length = calendar.monthrange(year, month)[1]
    first = datetime(year, month, 1, tzinfo=UTC)
    found = {
        d
        for d in range(length)
        if times.latest_until(first + timedelta(days=d, hours=1)) == first + timedelta(days=d)
    }
    assert {d + 1 for d in found} == naive_days(day, weekday, year, month)


@settings(deadline=None)
@given(EXPRESSIONS, st.sampled_from(["", "0,7,13 ", "*/9 ", "59 "]))
def test_no_two_fires_are_closer_than_the_shortest_gap(expression: str, seconds: str) -> None:
    times = parse_cron(seconds + expression, "j")
    instant = times.next_after(datetime(2026, 1, 1, tzinfo=UTC))
    assert instant is not None
    for _ in range(200):
        following = times.next_after(instant)
        assert following is not None
        assert (following - instant).total_seconds() >= times.shortest_gap_s()
        instant = following


@pytest.mark.parametrize(
    ("expression", "gap_s"),
    [
        ("* * * * * *", 1),
        ("*/15 * * * * *", 15),
        ("0,59 * * * * *", 1),
        ("* * * * *", 60),
        ("0,50 * * * *", 600),
        ("59 0 * * *", 86_400),
        ("0 0,23 * * *", 3600),
        ("0 9-17 * * *", 3600),
    ],
)
def test_the_shortest_gap_is_found(expression: str, gap_s: int) -> None:
    assert parse_cron(expression, "j").shortest_gap_s() == gap_s


def test_the_end_of_all_dates_is_an_answer_and_not_an_error() -> None:
    times = parse_cron("0 0 29 2 *", "j")
    last, first = datetime.max.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)
    assert times.next_after(last) is None
    assert times.next_after(datetime(9998, 1, 1, tzinfo=UTC)) is None
    assert times.latest_until(first) is None
    assert times.latest_until(datetime(3, 1, 1, tzinfo=UTC)) is None
    assert parse_cron("* * * * * *", "j").next_after(last) is None


def test_counting_centuries_of_seconds_counts_days_and_not_fires() -> None:
    times = parse_cron("* * * * * *", "j")
    start, end = datetime(1970, 1, 1, tzinfo=UTC), datetime(2370, 1, 1, tzinfo=UTC)
    assert times.count_between(start, end) == (end - start) // timedelta(seconds=1)
    assert times.count_between(end, start) == 0


def test_fires_are_utc_whatever_zone_the_question_is_asked_in() -> None:
    asked = datetime.fromisoformat("2026-11-21T02:59:00+05:30")
    assert parse_cron("0 0 * * *", "j").next_after(asked) == datetime(2026, 11, 21, tzinfo=UTC)
