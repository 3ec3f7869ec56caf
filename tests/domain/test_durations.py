"""Durations as people, ISO 8601 and PostgreSQL write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.durations import DurationInvalid, format_duration, parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30 s", 30),
        ("5 min", 300),
        ("1 hour", 3600),
        ("1 day", 86_400),
        ("2 weeks", 1_209_600),
        ("1h30m", 5400),
        ("1.5 hours", 5400),
        ("250ms", 0.25),
        ("1 µs", 0.000001),
        ("01:00:00", 3600),
        ("1 day 02:03:04.5", 93_784.5),
        ("-1 days +02:03:00", -79_020),
        ("-00:00:01", -1),
        ("100:00:00", 360_000),
        ("00:00:00", 0),
        ("PT5M", 300),
        ("P1DT2H3M4.5S", 93_784.5),
        ("P2W", 1_209_600),
    ],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["1 mon", "2 months", "1 year", "1 year 2 mons 3 days", "P1M", "P1Y"])
def test_months_and_years_are_refused_because_they_have_no_fixed_length(text: str) -> None:
    with pytest.raises(DurationInvalid, match="no fixed length"):
        parse_duration(text)


@pytest.mark.parametrize(
    "text",
    ["", " ", "5", "s", "10:00", "1:2:3", "5 parsecs", "P", "PT", "P1S", "1 day ago", "0.1 us", "9" * 18 + " days",
     "1 s" * 50, "٣ s", "NaN s", "1e9 s", "00:00:00:00", "infinity"],
)  # fmt: skip
def test_what_is_no_duration_is_refused_with_a_mend(text: str) -> None:
    with pytest.raises(DurationInvalid) as caught:
        parse_duration(text)
    assert caught.value.mend


@given(st.timedeltas(timedelta(days=-40_000), timedelta(days=40_000)))
def test_what_is_written_is_read_back_to_the_microsecond(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


def test_a_duration_is_written_as_a_person_would() -> None:
    assert format_duration(timedelta(hours=1)) == "1 hour"
    assert format_duration(timedelta(days=2, hours=3, minutes=4, seconds=5.5)) == "2 days 3 hours 4 min 5.5 s"
    assert format_duration(timedelta(0)) == "0 s"
