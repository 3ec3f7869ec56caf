"""What is left out of the sweep has no fire in its window; what is not known is read."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.accounting import Window, account_for, may_fire
from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.specs import ImplSpec, ImplVersion, JobSpec, JobVersion, Kind, Misfire
from shardkeeper.node.known_specs import KnownSpecs

T0 = datetime(2026, 11, 21, 3, tzinfo=UTC)
SINCE, UNTIL = T0, T0 + timedelta(seconds=30)
LONG_AGO = T0 - timedelta(days=2)
IMPLS = {
    "impl": ImplHistory(
        (ImplInForce(LONG_AGO, None, ImplVersion(ImplSpec("impl", Kind.PYTHON, "a:B"), (), 5)),)
    )
}


def version(number: int, name: str = "job", **spec: Any) -> JobVersion:
    return JobVersion(JobSpec(name, "impl", **spec), number, LONG_AGO)


def known(*versions: JobVersion) -> KnownSpecs:
    specs = KnownSpecs()
    names = dict.fromkeys(one.spec.name for one in versions)
    specs.learn(
        {name: JobHistory(tuple(one for one in versions if one.spec.name == name)) for name in names}, True
    )
    return specs


def test_of_many_jobs_those_with_a_fire_in_the_window_are_read_in_their_order() -> None:
    specs = known(
        version(1, "daily", cron="0 3 * * *"),  # at its very beginning, which is not in it
        version(2, "later", cron="0 4 * * *"),
        version(3, "often", every=timedelta(seconds=10)),
        version(4, "once", run_at=UNTIL),
        version(5, "over", run_at=SINCE),
    )
    glanced = [(name, [number]) for number, name in enumerate(("daily", "later", "often", "once", "over"), 1)]
    assert specs.with_fires(SINCE, UNTIL, glanced) == ["often", "once"]
    assert specs.with_fires(SINCE - timedelta(seconds=1), UNTIL, glanced) == [
        "daily",
        "often",
        "once",
        "over",
    ]


@pytest.mark.parametrize(
    "bounds", [{"ends_at": SINCE}, {"starts_at": UNTIL + timedelta(seconds=1)}, {"enabled": False}], ids=str
)
@pytest.mark.parametrize("schedule", [{"every": timedelta(seconds=10)}, {"cron": "*/10 * * * * *"}], ids=str)
def test_jobs_of_one_schedule_may_differ_by_what_else_bounds_them(
    schedule: dict[str, Any], bounds: dict[str, Any]
) -> None:
    """Whichever of them is looked at first. One that is bounded may be read for nothing, never be left out wrongly."""
    versions = version(1, "bounded", **schedule, **bounds), version(2, "whole", **schedule)
    assert known(*versions).with_fires(SINCE, UNTIL, [("bounded", [1])]) == []
    assert "whole" in known(*versions).with_fires(SINCE, UNTIL, [("bounded", [1]), ("whole", [2])])
    assert "whole" in known(*versions).with_fires(SINCE, UNTIL, [("whole", [2]), ("bounded", [1])])


@pytest.mark.parametrize("cron", ["H 3 * * *", "h 3 * * *"])
def test_jobs_that_spread_over_an_hour_are_looked_at_one_by_one(cron: str) -> None:
    names = [f"job-{number}" for number in range(200)]
    specs = known(*(version(number, name, cron=cron) for number, name in enumerate(names)))
    minute = timedelta(minutes=1)
    found = specs.with_fires(T0 - minute, T0, [(name, [number]) for number, name in enumerate(names)])
    own = [name for name in names if may_fire(JobSpec(name, "impl", cron=cron), T0 - minute, T0)]
    assert found == own
    assert 0 < len(own) < 20


def test_what_is_not_known_by_its_number_is_read() -> None:
    idle = version(7, cron="0 4 * * *")
    specs = known(idle)
    assert specs.with_fires(SINCE, UNTIL, [("job", [7])]) == []
    assert specs.with_fires(SINCE, UNTIL, [("job", [8])]) == ["job"]
    assert specs.with_fires(SINCE, UNTIL, [("job", [6, 7])]) == ["job"]
    assert specs.with_fires(SINCE, UNTIL, [("other", [7])]) == ["other"]


def test_any_of_its_versions_may_have_the_fire() -> None:
    specs = known(version(1, every=timedelta(seconds=10)), version(2, cron="0 4 * * *"))
    assert specs.with_fires(SINCE, UNTIL, [("job", [2])]) == []
    assert specs.with_fires(SINCE, UNTIL, [("job", [1, 2])]) == ["job"]


def test_what_is_read_anew_takes_the_place_of_what_was_known() -> None:
    specs = known(version(1, cron="0 4 * * *"), version(2, "gone", cron="0 4 * * *"))
    specs.learn(
        {"job": JobHistory((version(3, every=timedelta(seconds=10)),)), "gone": JobHistory(())}, False
    )
    glanced = [("gone", [2]), ("job", [3])]
    assert specs.with_fires(SINCE, UNTIL, glanced) == ["gone", "job"]
    specs.learn({"gone": JobHistory((version(2, "gone", cron="0 4 * * *"),))}, True)
    assert specs.with_fires(SINCE, UNTIL, glanced) == ["job"]


def test_a_job_that_comes_to_its_end_is_not_kept() -> None:
    specs = known(version(1, cron="0 4 * * *"))
    ended = JobHistory((replace(version(1, cron="0 4 * * *"), in_force_until=UNTIL),))
    specs.learn({"job": ended}, False)
    assert len(specs) == 0


@given(
    schedule=st.one_of(
        st.builds(lambda s: {"every": timedelta(seconds=s)}, st.sampled_from([1, 7, 20, 45, 3600])),
        st.builds(lambda s, m: {"cron": f"{s} {m} 3 * * *"}, st.integers(0, 59), st.sampled_from(["0", "*"])),
        st.sampled_from([{"cron": "H * 3 * * *"}, {"cron": "h * 3 * * *"}]),
        st.builds(lambda s: {"run_at": T0 + timedelta(seconds=s)}, st.integers(-40, 40)),
    ),
    bounds=st.tuples(st.none() | st.integers(-40, 40), st.none() | st.integers(-40, 40)),
    enabled=st.booleans(),
    length_s=st.integers(1, 40),
    bounded_first=st.booleans(),
)
def test_nothing_of_what_is_left_out_is_to_be_accounted_for(
    schedule: dict[str, Any],
    bounds: tuple[int | None, int | None],
    enabled: bool,
    length_s: int,
    bounded_first: bool,
) -> None:
    starts_at, ends_at = (None if s is None else T0 + timedelta(seconds=s) for s in bounds)
    one = version(1, starts_at=starts_at, ends_at=ends_at, enabled=enabled, misfire=Misfire.ALL, **schedule)
    shared = version(2, "shared", **schedule)
    until = T0 + timedelta(seconds=length_s)
    order = [("shared", [2]), ("job", [1])]
    read = known(one, shared).with_fires(T0, until, order[::-1] if bounded_first else order)
    for job in (one, shared):
        runs, records = account_for(
            job.spec.name, JobHistory((job,)), IMPLS, (), Window(T0, until, until), lambda spec: None
        )
        assert job.spec.name in read or not (runs or records)
