"""Names of runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.errors import Refused
from shardkeeper.domain.naming import parse_run_name, run_name, run_name_at

AT = datetime(2026, 11, 21, 3, tzinfo=UTC)


def test_a_run_is_named_by_its_job_and_fire_time_in_utc() -> None:
    assert run_name("price-index", AT) == "price-index@2026-11-21T03:00:00Z"
    east = AT.astimezone(timezone(timedelta(hours=9)))
    assert run_name("price-index", east) == "price-index@2026-11-21T03:00:00Z"


def test_fractions_of_a_second_are_shown_only_where_there_are_any() -> None:
    assert run_name("a", AT.replace(microsecond=500_000)) == "a@2026-11-21T03:00:00.5Z"
    assert run_name("a", AT.replace(microsecond=1)) == "a@2026-11-21T03:00:00.000001Z"


def test_an_instant_that_is_written_already_gives_the_same_name() -> None:
    for instant in (AT, AT.replace(microsecond=500_000), AT.replace(microsecond=1), AT.replace(second=30)):
        assert run_name_at("a", instant.isoformat()) == run_name("a", instant)


@pytest.mark.parametrize("instant", ["2026-11-21T03:00:00+09:00", "2026-11-21T03:00:00"])
def test_an_instant_that_is_written_in_another_zone_is_refused(instant: str) -> None:
    with pytest.raises(ValueError, match="UTC"):
        run_name_at("a", instant)


def test_a_fire_time_without_an_offset_is_refused() -> None:
    with pytest.raises(ValueError, match="UTC"):
        run_name("a", datetime(2026, 11, 21))  # noqa: DTZ001 - the very thing that is refused


@given(st.from_regex(r"[a-z0-9][a-z0-9._-]{0,99}", fullmatch=True), st.datetimes(timezones=st.just(UTC)))
def test_a_name_read_back_gives_what_it_was_made_of(job: str, fire_time: datetime) -> None:
    assert parse_run_name(run_name(job, fire_time)) == (job, fire_time)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "17",
        "price-index",
        "price-index@",
        "price-index@2026-11-21",
        "price-index@2026-11-21T03:00:00",
        "price-index@2026-13-21T03:00:00Z",
        "price-index@2026-11-21T03:00:00.0000001Z",
        "price-index@2026-11-21T03:00:00Z\n",
        "Price@2026-11-21T03:00:00Z",
        "@2026-11-21T03:00:00Z",
        "a@b@2026-11-21T03:00:00Z",
    ],
)
def test_what_is_not_a_run_name_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="not the name of a run"):
        parse_run_name(text)
