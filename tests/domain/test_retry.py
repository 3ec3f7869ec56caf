"""Whether and when an attempt is tried again."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.policies.retry import JITTER, RETRIED, delay, is_retried, is_worth, retry_after
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.specs import JobSpec

SECOND = timedelta(seconds=1)
JOB = JobSpec("job", "impl", max_attempts=3)


@pytest.mark.parametrize("status", [AttemptStatus.FAILED, AttemptStatus.TIMED_OUT])
def test_failures_and_time_outs_are_retried_until_the_attempts_are_used_up(status: AttemptStatus) -> None:
    assert [is_retried(status, tries, 3) for tries in (1, 2, 3, 4)] == [True, True, False, False]
    assert not is_retried(status, 1, 1)


@pytest.mark.parametrize("status", sorted(set(AttemptStatus) - RETRIED))
def test_nothing_else_is_retried(status: AttemptStatus) -> None:
    assert not is_retried(status, 1, 10)
    assert retry_after(JOB, status, "ValueError", 1, 0.0) is None


def test_the_delay_grows_by_the_backoff_up_to_the_longest() -> None:
    delays = [delay(10 * SECOND, 2.0, 60 * SECOND, tries, 0.0) for tries in (1, 2, 3, 4, 5)]
    assert delays == [10 * SECOND, 20 * SECOND, 40 * SECOND, 60 * SECOND, 60 * SECOND]


def test_the_delay_of_a_job_is_taken_from_its_spec() -> None:
    assert retry_after(JOB, AttemptStatus.FAILED, "ValueError", 2, 0.0) == 20 * SECOND
    assert retry_after(JOB, AttemptStatus.FAILED, "ValueError", 3, 0.0) is None


def test_jitter_takes_away_up_to_a_fifth() -> None:
    assert delay(10 * SECOND, 2.0, 60 * SECOND, 1, 0.5) == 9 * SECOND


def test_a_huge_number_of_tries_waits_the_longest() -> None:
    assert delay(SECOND, 1e300, timedelta(hours=1), 10**6, 0.0) == timedelta(hours=1)


def test_a_delay_of_nothing_stays_nothing() -> None:
    assert delay(timedelta(0), 2.0, timedelta(hours=1), 50, 0.5) == timedelta(0)
    assert delay(SECOND, 2.0, timedelta(0), 50, 0.5) == timedelta(0)


durations = st.timedeltas(timedelta(0), timedelta(days=400))


@given(durations, st.floats(1.0, 100.0), durations, st.integers(1, 200), st.floats(0, 1, exclude_max=True))
def test_a_delay_is_never_longer_than_the_longest_nor_more_than_a_fifth_short(
    first: timedelta, backoff: float, longest: timedelta, tries: int, random_unit: float
) -> None:
    whole = delay(first, backoff, longest, tries, 0.0)
    assert min(first, longest) <= whole <= longest
    assert whole <= delay(first, backoff, longest, tries + 1, 0.0)
    assert (1 - JITTER) * whole <= delay(first, backoff, longest, tries, random_unit) <= whole


def test_an_error_that_is_given_up_on_is_not_retried_by_its_whole_name_or_its_last_part() -> None:
    job = replace(JOB, give_up_on=("NotFound", "acme.errors.Forbidden"))
    worth = {name: is_worth(job, name) for name in ("NotFound", "acme.errors.NotFound", "ValueError", None)}
    assert worth == {"NotFound": False, "acme.errors.NotFound": False, "ValueError": True, None: True}
    assert not is_worth(job, "acme.errors.Forbidden")
    assert is_worth(job, "other.errors.Forbidden")
    assert retry_after(job, AttemptStatus.FAILED, "NotFound", 1, 0.0) is None


def test_where_errors_to_retry_are_named_no_other_is_retried() -> None:
    job = replace(JOB, retry_on=("TimedOut", "OSError"), give_up_on=("OSError",))
    assert [is_worth(job, name) for name in ("TimedOut", "ValueError", None)] == [True, False, False]
    assert not is_worth(job, "OSError")
