"""From rows to histories: what is invalid is passed over, what is unknown is left to others, what is pinned is read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shardkeeper.domain.validation import Limits
from shardkeeper.node.histories import HistoryReader, Reading
from shardkeeper.ports.specs import ImplVersionRow, JobVersionRow, PauseRow, SpecRows

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def at(minutes: int) -> datetime:
    return T0 + timedelta(minutes=minutes)


def job(version: int, minutes: int, name: str = "job", **columns: Any) -> JobVersionRow:
    return JobVersionRow(name, version, {"name": name, "impl_spec": "impl"} | columns, at(minutes))


def gone(version: int, minutes: int, name: str = "job") -> JobVersionRow:
    return JobVersionRow(name, version, None, at(minutes))


def impl(version: int, minutes: int, *sources: dict[str, Any], **columns: Any) -> ImplVersionRow:
    row = {"name": "impl", "entrypoint": "acme.jobs:Task"} | columns
    return ImplVersionRow("impl", version, row, sources, at(minutes))


def rows(*given: JobVersionRow | ImplVersionRow | PauseRow, names: tuple[str, ...] = ()) -> SpecRows:
    jobs = tuple(row for row in given if isinstance(row, JobVersionRow))
    impls = tuple(row for row in given if isinstance(row, ImplVersionRow))
    pauses = tuple(row for row in given if isinstance(row, PauseRow))
    return SpecRows(
        frozenset(names) | {row.job_name for row in jobs},
        frozenset(row.impl_name for row in impls),
        jobs,
        impls,
        pauses,
        T0,
        "token",
    )


def read(*given: JobVersionRow | ImplVersionRow | PauseRow, names: tuple[str, ...] = ()) -> Reading:
    return HistoryReader(Limits()).read(rows(*given, names=names))


def in_force(reading: Reading, minutes: float, name: str = "job") -> int | None:
    found = reading.jobs[name].at(T0 + timedelta(minutes=minutes))
    return None if found is None else found.version


def test_each_version_is_in_force_until_the_next_one() -> None:
    reading = read(job(1, 0, cron="0 * * * *"), job(2, 10), job(3, 20))
    assert [in_force(reading, minute) for minute in (-1, 0, 9.99, 10, 19, 20, 99)] == [None, 1, 1, 2, 2, 3, 3]
    assert reading.jobs["job"].versions[0].spec.cron == "0 * * * *"


def test_an_invalid_version_is_marked_with_its_problems_and_the_last_valid_one_stays_in_force() -> None:
    reading = read(job(1, 0), job(2, 10, cron="61 * * * *", priority=1000), job(3, 20))
    (mark,) = reading.invalid
    assert (mark.name, mark.version, mark.of_impl) == ("job", 2, False)
    assert "cron" in mark.problem
    assert "priority" in mark.problem
    assert [in_force(reading, minute) for minute in (5, 10, 19, 20)] == [1, 1, 1, 3]


def test_the_last_valid_version_stays_in_force_without_end_when_all_later_ones_are_invalid() -> None:
    reading = read(job(1, 0), job(2, 10, cron="61 * * * *"), job(3, 20, cron="62 * * * *"))
    assert [mark.version for mark in sorted(reading.invalid, key=lambda mark: mark.version)] == [2, 3]
    assert in_force(reading, 1000) == 1
    assert reading.jobs["job"].last is not None


def test_a_job_whose_only_version_is_invalid_runs_nothing() -> None:
    reading = read(job(1, 0, cron="61 * * * *"))
    assert reading.jobs["job"].versions == ()


def test_an_invalid_version_does_not_outlive_the_deletion_after_it() -> None:
    reading = read(job(1, 0), job(2, 10, cron="61 * * * *"), gone(3, 20), job(4, 30))
    assert [in_force(reading, minute) for minute in (15, 20, 29, 30)] == [1, None, None, 4]


def test_a_name_without_rows_has_an_empty_history() -> None:
    assert read(names=("forgotten",)).jobs["forgotten"].versions == ()


def test_a_column_that_is_not_known_here_is_neither_invalid_nor_run_nor_replaced_by_an_older_version() -> (
    None
):
    reading = read(job(1, 0), job(2, 10, solar_time=True), job(3, 20, name="other"))
    assert reading.invalid == []
    assert "solar_time" in reading.unknown["job"]
    assert [in_force(reading, minute) for minute in (5, 10, 99)] == [1, None, None]
    assert in_force(reading, 99, "other") == 3


def test_a_value_that_is_not_known_here_is_unknown_and_not_invalid() -> None:
    reading = read(job(1, 0, overlap="merge"))
    assert reading.invalid == []
    assert "merge" in reading.unknown["job"]


def test_a_column_that_is_not_known_here_and_not_used_does_no_harm() -> None:
    reading = read(job(1, 0, solar_time=None, moons={}, phases=[]))
    assert (reading.unknown, in_force(reading, 1)) == ({}, 1)


def test_pauses_are_held_by_job() -> None:
    reading = read(
        job(1, 0),
        job(2, 0, name="other"),
        PauseRow("job", at(5), at(6), "why"),
        PauseRow("job", at(8), None, None),
    )
    held = reading.jobs["job"]
    assert [held.paused_at(at(minute)) for minute in (4, 5, 6, 8, 99)] == [False, True, False, True, True]
    assert not reading.jobs["other"].paused_at(at(5))


def test_an_impl_that_is_invalid_is_marked_as_such_and_the_last_valid_one_stays() -> None:
    reading = read(impl(1, 0), impl(2, 10, entrypoint="__import__"), impl(3, 20, {"key": "a", "weight": -1}))
    assert {(mark.version, mark.of_impl) for mark in reading.invalid} == {(2, True), (3, True)}
    held = reading.impls["impl"].at(at(99))
    assert held is not None
    assert held.version == 1


def test_an_impl_that_is_not_known_here_is_not_run_as_an_older_one() -> None:
    reading = read(impl(1, 0), impl(2, 10, kind="wasm"))
    assert reading.invalid == []
    history = reading.impls["impl"]
    assert [held and held.version for held in (history.at(at(5)), history.at(at(10)))] == [1, None]


def test_a_deleted_impl_ends_its_versions() -> None:
    history = read(impl(1, 0), ImplVersionRow("impl", 2, None, (), at(10))).impls["impl"]
    assert [held and held.version for held in (history.at(at(9)), history.at(at(10)))] == [1, None]


def test_sources_are_dealt_from_one_order_whatever_the_order_of_rows() -> None:
    reading = read(impl(1, 0, {"key": "b"}, {"key": "a", "weight": 2}))
    held = reading.impls["impl"].at(at(0))
    assert held is not None
    assert [(source.key, source.weight) for source in held.sources] == [("a", 2), ("b", 1.0)]


def pinned(given: SpecRows, jobs: list[int], impls: list[int]) -> tuple[list[int], list[int], dict[int, str]]:
    found = HistoryReader(Limits(max_items_per_second=1.0)).read_pinned(given, jobs, impls)
    return (
        [version.version for version in found.jobs],
        [version.version for version in found.impls],
        dict(found.missing),
    )


def test_pinned_versions_are_read_though_they_would_not_be_valid_any_more() -> None:
    too_many = job(1, 0, every="1 s", sharding_total_count=500)
    assert pinned(rows(too_many, impl(2, 0)), [1], [2]) == ([1], [2], {})


def test_pinned_versions_that_are_missing_or_not_known_here_are_told_with_the_reason() -> None:
    jobs, impls, missing = pinned(
        rows(job(1, 0, solar_time=True), impl(2, 0, kind="wasm"), impl(4, 0)), [1, 3], [2, 4]
    )
    assert (jobs, impls, set(missing)) == ([], [4], {1, 2, 3})
    assert "solar_time" in missing[1]
    assert "wasm" in missing[2]
    assert "no such version" in missing[3]
