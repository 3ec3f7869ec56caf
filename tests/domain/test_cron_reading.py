"""What the cron grammar takes, and what it refuses with which reason."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.cron import MACROS, CronInvalid, parse_cron

FROM = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)  # a Saturday


def fires(expression: str, count: int = 3, job: str = "price-index") -> list[str]:
    times, instant, out = parse_cron(expression, job), FROM, []
    for _ in range(count):
        following = times.next_after(instant)
        assert following is not None
        instant = following
        out.append(instant.strftime("%a %Y-%m-%d %H:%M:%S"))
    return out


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("* * * * *", ["Sat 2026-11-21 03:01:00", "Sat 2026-11-21 03:02:00"]),
        ("*/10 * * * * *", ["Sat 2026-11-21 03:00:10", "Sat 2026-11-21 03:00:20"]),
        ("0 9 * * MON-fri", ["Mon 2026-11-23 09:00:00", "Tue 2026-11-24 09:00:00"]),
        ("0 0 1 jan,JUL *", ["Fri 2027-01-01 00:00:00", "Thu 2027-07-01 00:00:00"]),
        ("0 0 L * *", ["Mon 2026-11-30 00:00:00", "Thu 2026-12-31 00:00:00"]),
        ("0 0 L-3 * *", ["Fri 2026-11-27 00:00:00", "Mon 2026-12-28 00:00:00"]),
        ("0 0 LW 1 *", ["Fri 2027-01-29 00:00:00", "Mon 2028-01-31 00:00:00"]),
        ("0 0 15W * *", ["Tue 2026-12-15 00:00:00", "Fri 2027-01-15 00:00:00", "Mon 2027-02-15 00:00:00"]),
        ("0 0 1W 5 *", ["Mon 2027-05-03 00:00:00", "Mon 2028-05-01 00:00:00"]),
        ("0 0 31W 1 *", ["Fri 2027-01-29 00:00:00", "Mon 2028-01-31 00:00:00"]),
        (
            "0 0 1,15W,L 2 *",
            ["Mon 2027-02-01 00:00:00", "Mon 2027-02-15 00:00:00", "Sun 2027-02-28 00:00:00"],
        ),
        ("0 0 * * fri#2", ["Fri 2026-12-11 00:00:00", "Fri 2027-01-08 00:00:00"]),
        ("0 0 * * 5L", ["Fri 2026-11-27 00:00:00", "Fri 2026-12-25 00:00:00"]),
        ("0 0 * * friL", ["Fri 2026-11-27 00:00:00", "Fri 2026-12-25 00:00:00"]),
        (
            "0 0 * * mon#1,fri",
            ["Fri 2026-11-27 00:00:00", "Fri 2026-12-04 00:00:00", "Mon 2026-12-07 00:00:00"],
        ),
        ("0 0 1,15 * mon", ["Mon 2026-11-23 00:00:00", "Mon 2026-11-30 00:00:00", "Tue 2026-12-01 00:00:00"]),
        ("0 0 * * 7", ["Sun 2026-11-22 00:00:00", "Sun 2026-11-29 00:00:00"]),
        ("0 0 * * 0", ["Sun 2026-11-22 00:00:00", "Sun 2026-11-29 00:00:00"]),
        ("0 0 * * sat-sun", ["Sun 2026-11-22 00:00:00", "Sat 2026-11-28 00:00:00"]),
        ("0 0 * * 1-7/3", ["Sun 2026-11-22 00:00:00", "Mon 2026-11-23 00:00:00", "Thu 2026-11-26 00:00:00"]),
        ("0 0 5-5 * *", ["Sat 2026-12-05 00:00:00", "Tue 2027-01-05 00:00:00"]),
        ("0 0 29 2 *", ["Tue 2028-02-29 00:00:00", "Sun 2032-02-29 00:00:00"]),
        ("0 0 * 2 mon#5", ["Mon 2044-02-29 00:00:00", "Mon 2072-02-29 00:00:00", "Mon 2112-02-29 00:00:00"]),
    ],
)
def test_an_expression_fires_when_the_calendar_says(expression: str, expected: list[str]) -> None:
    assert fires(expression, len(expected)) == expected


def test_a_start_with_a_step_runs_to_the_end_of_the_field_as_in_spring() -> None:
    assert parse_cron("5/20 * * * *", "j").minutes == (5, 25, 45)


def test_a_start_at_the_end_of_the_field_with_a_step_is_that_one_value() -> None:
    assert parse_cron("59/15 * * * *", "j").minutes == (59,)
    assert parse_cron("0 23/2 * * *", "j").hours == (23,)


@pytest.mark.parametrize("macro", MACROS)
def test_a_macro_stands_for_its_expression_in_any_case(macro: str) -> None:
    assert parse_cron(macro.upper(), "j") == parse_cron(MACROS[macro], "j")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("*/1 * * * *", "* * * * *"),
        ("0-59 0-23 1-31 1-12 *", "* * * * *"),
        ("0 0 * * 7", "0 0 * * SUN"),
        ("0 * * * *", "0 0 * * * *"),
        ("0 0 3,1,2,2 * *", "0 0 1-3 * *"),
        ("0 0 1-31 * mon", "0 0 * * *"),
        ("  0 0 *\t* * ", "0 0 * * *"),
    ],
)
def test_two_ways_to_write_one_schedule_are_equal_so_that_jobs_share_a_timer(one: str, other: str) -> None:
    assert parse_cron(one, "a") == parse_cron(other, "b")
    assert hash(parse_cron(one, "a")) == hash(parse_cron(other, "b"))


@pytest.mark.parametrize(
    ("expression", "word"),
    [
        ("", "0 fields"),
        ("* * * *", "4 fields"),
        ("0 0 * * * * 2026", "seven fields"),
        ("R * * * *", "random"),
        ("R(0-5) * * * *", "random"),
        ("0 0 ? * mon", "`?`"),
        ("0 22-2 * * *", "wraps"),
        ("0 0 * nov-feb *", "wraps"),
        ("0 0 * * fri-mon", "wraps"),
        ("H(9-3) * * * *", "wraps"),
        ("5-1/2 * * * *", "wraps"),
        ("60 * * * *", "minute field: `60` is out of range"),
        ("60 * * * * *", "second field"),
        ("0 24 * * *", "hour field"),
        ("0 0 0 * *", "day-of-month field"),
        ("0 0 32W * *", "day-of-month field"),
        ("0 0 * 13 *", "month field"),
        ("0 0 * * 8", "day-of-week field"),
        ("H(5-70) * * * *", "out of range"),
        ("*/0 * * * *", "step"),
        ("H/0 * * * *", "step"),
        ("*/90 * * * *", "beyond"),
        ("0 0 * * mon/2", "on which day it ends"),
        ("*,5 * * * *", "pointless"),
        ("1,,2 * * * *", "not understood"),
        ("-1 * * * *", "not understood"),
        ("1.5 * * * *", "not understood"),
        ("0 0 * foo *", "name such as jan"),
        ("0 0 * sun *", "month field"),
        ("0 0 * * L", "which weekday"),
        ("0 0 * * fri#6", "week that no month has"),
        ("0 0 fri#2 * *", "does not belong here"),
        ("L * * * *", "does not belong here"),
        ("0 0 1-L * *", "does not belong here"),
        ("0 0 * * 15W", "does not belong here"),
        ("@fortnightly", "not a known name"),
        ("٣ * * * *", "ASCII"),
        ("0 0\u00a0* * * *", "ASCII"),
        ("0 0 * * *\n", "ASCII"),
        ("\x1b[31m0 0 * * *", "ASCII"),
        ("0" * 10_000, "longer than"),
        ("9" * 150 + " * * * *", "minute field"),
    ],
)
def test_what_is_refused_names_the_reason_and_a_mend(expression: str, word: str) -> None:
    with pytest.raises(CronInvalid) as caught:
        parse_cron(expression, "j")
    assert word in caught.value.reason + caught.value.mend
    assert caught.value.mend
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("expression", ["0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 30W 2 *", "0 0 L-31 * *"])
def test_a_date_that_never_comes_is_refused_without_a_search(expression: str) -> None:
    with pytest.raises(CronInvalid, match="never fires"):
        parse_cron(expression, "j")


def test_an_impossible_date_beside_a_weekday_still_fires_on_the_weekday() -> None:
    assert fires("0 0 30 2 mon", 1) == ["Mon 2027-02-01 00:00:00"]


def test_h_is_stable_for_a_job_and_spreads_jobs() -> None:
    minutes = {parse_cron("H * * * *", f"job-{n}").minutes for n in range(500)}
    assert len(minutes) == 60
    assert parse_cron("H H * * *", "price-index") == parse_cron("h h * * *", "price-index")
    # these numbers must never change: they are when people's jobs run
    assert (parse_cron("H H * * *", "price-index").minutes, parse_cron("H H * * *", "price-index").hours) == (
        (4,),
        (20,),
    )


@given(st.text("abc-", min_size=1, max_size=8))
def test_h_within_bounds_and_steps_stays_there(job: str) -> None:
    (minute,) = parse_cron("H(10-19) * * * *", job).minutes
    assert 10 <= minute <= 19
    stepped = parse_cron("H/15 * * * *", job).minutes
    assert len(stepped) == 4
    assert stepped[0] < 15
    (day,) = parse_cron("0 0 H * *", job).days.dates.plain  # type: ignore[union-attr]
    assert day <= 28


@given(st.text(st.sampled_from("0123456789*/-,#?LWHRlwhr@ jfmonbxe()\t"), max_size=30))
def test_any_text_is_either_read_or_refused_with_a_reason(text: str) -> None:
    refusal = None
    try:
        assert parse_cron(text, "j").next_after(FROM) is not None
    except CronInvalid as caught:
        refusal = caught
    assert refusal is None or (refusal.reason and refusal.mend)


def test_a_refusal_survives_a_pipe_between_processes() -> None:
    refusal = pickle.loads(pickle.dumps(CronInvalid("why", "how")))
    assert (refusal.reason, refusal.mend) == ("why", "how")
