"""Which fires of the past are filled, and what each runs under."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from shardkeeper.domain.accounting import NO_IMPL, NO_NODE, DueRun
from shardkeeper.domain.backfill import backfill_run, fires_to_fill
from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.specs import ImplSpec, ImplVersion, JobSpec, JobVersion, Kind, Pause

DAY = datetime(2026, 1, 2, tzinfo=UTC)
HOUR = timedelta(hours=1)


def at(hours: float) -> datetime:
    return DAY + hours * HOUR


def version(number: int, since: float, until: float | None = None, **columns: object) -> JobVersion:
    spec = JobSpec(name="job", impl_spec="impl", **({"every": HOUR} | columns))  # type: ignore[arg-type]
    return JobVersion(spec, number, at(since), None if until is None else at(until))


def filled(
    history: JobHistory, since: float, until: float, *ran: float, most: int = 100
) -> list[tuple[float, int]]:
    found = fires_to_fill(history, at(since), at(until), {at(hours) for hours in ran}, most)
    return [((fire - DAY) / HOUR, one.version) for fire, one in found]


def test_the_beginning_is_filled_the_end_is_not_and_what_ran_is_left_out() -> None:
    assert filled(JobHistory((version(1, 0),)), 1, 4, 2) == [(1, 1), (3, 1)]


def test_each_fire_goes_by_its_version_and_the_first_one_by_those_before_it() -> None:
    history = JobHistory((version(1, 2, 4.5), version(2, 4.5, every=2 * HOUR)))
    assert filled(history, 1, 9) == [(1, 1), (2, 1), (3, 1), (4, 1), (6, 2), (8, 2)]


def test_what_was_not_in_force_or_disabled_had_no_fires_and_a_pause_holds_nothing_back() -> None:
    history = JobHistory(
        (version(1, 0, 2), version(2, 4, 6), version(3, 6, 8, enabled=False), version(4, 8)),
        (Pause("job", at(0), at(5), None),),
    )
    assert filled(history, 0, 10) == [(0, 1), (1, 1), (4, 2), (5, 2), (8, 4), (9, 4)]


def test_no_more_are_worked_out_than_are_asked_for() -> None:
    assert filled(JobHistory((version(1, 0),)), 0, 1_000_000, most=3) == [(0, 1), (1, 1), (2, 1)]


def test_a_run_is_under_the_impl_of_its_fire_or_the_first_there_was() -> None:
    job = version(1, 0)
    impl = ImplVersion(ImplSpec("impl", Kind.PYTHON, "a:B"), (), 7)
    impls = {"impl": ImplHistory((ImplInForce(at(2), at(4), impl),))}
    run = DueRun("job", at(1), 1, 7, 1)
    assert backfill_run(at(1), job, impls, lambda spec: None) == run
    assert backfill_run(at(5), job, impls, lambda spec: None) == NO_IMPL.format(impl="impl")
    assert backfill_run(at(1), job, {}, lambda spec: None) == NO_IMPL.format(impl="impl")
    assert backfill_run(at(1), job, impls, lambda spec: ()) == NO_NODE
    assert backfill_run(at(1), job, impls, lambda spec: ("a", "b")) == DueRun(
        "job", at(1), 1, 7, 2, ("a", "b")
    )
