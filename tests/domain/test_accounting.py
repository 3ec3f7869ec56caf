"""Every fire that nobody created in time ends as a run, inside a MISSED record or inside a SKIPPED record."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from shardkeeper.domain.accounting import DueRun, FireRange, Window, account_for
from shardkeeper.domain.catalog import ImplHistory, ImplInForce, JobHistory
from shardkeeper.domain.runs import RunStatus
from shardkeeper.domain.specs import (
    ImplSpec,
    ImplVersion,
    JobSpec,
    JobVersion,
    Kind,
    Misfire,
    Pause,
    Strategy,
)

T0 = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
IMPLS = {
    "impl": ImplHistory(
        (ImplInForce(T0 - 1000 * MINUTE, None, ImplVersion(ImplSpec("impl", Kind.PYTHON, "a:B"), (), 5)),)
    )
}
SPEC = JobSpec("job", "impl", every=MINUTE)


def at(minutes: float) -> datetime:
    return T0 + minutes * MINUTE


def version(
    spec: JobSpec = SPEC, number: int = 1, since: float = -100, until: float | None = None
) -> JobVersion:
    return JobVersion(spec, number, at(since), None if until is None else at(until))


def sweep(
    history: JobHistory,
    ran: tuple[float, ...] = (),
    window: tuple[float, float] = (0, 10),
    nodes: tuple[str, ...] | None = None,
    later: float = 0.5,
) -> tuple[list[DueRun], list[FireRange]]:
    return account_for(
        "job",
        history,
        IMPLS,
        [at(minute) for minute in ran],
        Window(at(window[0]), at(window[1]), at(window[1] + later)),
        lambda spec: nodes,
    )


def minutes(runs: list[DueRun]) -> list[float]:
    return [(run.fire_time - T0) / MINUTE for run in runs]


def test_once_runs_the_latest_and_records_the_others_as_one_range() -> None:
    runs, records = sweep(JobHistory((version(),)))
    assert minutes(runs) == [10]
    (record,) = records
    assert (record.status, record.fire_time, record.fire_until, record.count) == (
        RunStatus.MISSED,
        at(1),
        at(9),
        9,
    )


def test_once_runs_nothing_when_a_later_fire_is_due_already() -> None:
    runs, records = sweep(JobHistory((version(),)), later=1)
    assert runs == []
    assert [record.count for record in records] == [10]
    held = JobHistory((version(),), (Pause("job", at(10.5), at(11.5), None),))
    runs, _ = sweep(held, later=1.9)
    assert minutes(runs) == [10]


def test_all_runs_each_up_to_the_limit_the_latest_ones() -> None:
    spec = replace(SPEC, misfire=Misfire.ALL, catch_up_limit=4)
    runs, records = sweep(JobHistory((version(spec),)))
    assert minutes(runs) == [7, 8, 9, 10]
    assert [record.count for record in records] == [6]


def test_skip_runs_none() -> None:
    runs, records = sweep(JobHistory((version(replace(SPEC, misfire=Misfire.SKIP)),)))
    assert runs == []
    assert [record.count for record in records] == [10]


def test_a_job_inserted_in_the_window_owes_nothing_from_before() -> None:
    runs, records = sweep(JobHistory((version(replace(SPEC, misfire=Misfire.ALL), since=7.5),)))
    assert minutes(runs) == [8, 9, 10]
    assert records == []


def test_each_fire_belongs_to_the_version_in_force_at_it() -> None:
    old = version(replace(SPEC, misfire=Misfire.ALL), 1, until=5)
    new = version(replace(SPEC, misfire=Misfire.ALL, every=2 * MINUTE), 2, since=5)
    runs, _ = sweep(JobHistory((old, new)))
    assert [(run.job_version, (run.fire_time - T0) / MINUTE) for run in runs] == [
        (1, 1), (1, 2), (1, 3), (1, 4), (2, 6), (2, 8), (2, 10),
    ]  # fmt: skip


def test_a_disabled_stretch_leaves_no_record() -> None:
    off = version(replace(SPEC, enabled=False), 1, until=5)
    runs, records = sweep(JobHistory((off, version(SPEC, 2, since=5))))
    assert minutes(runs) == [10]
    assert [(record.fire_time, record.count) for record in records] == [(at(5), 5)]


def test_fires_inside_a_pause_are_skipped_as_one_range_with_its_reason() -> None:
    pauses = (Pause("job", at(3), at(6), "deploy"),)
    runs, records = sweep(JobHistory((version(replace(SPEC, misfire=Misfire.ALL)),), pauses))
    assert minutes(runs) == [1, 2, 6, 7, 8, 9, 10]
    (record,) = records
    assert (record.status, record.fire_time, record.fire_until, record.count) == (
        RunStatus.SKIPPED,
        at(3),
        at(5),
        3,
    )
    assert "deploy" in record.reason


def test_fires_of_a_job_deleted_since_are_skipped() -> None:
    runs, records = sweep(JobHistory((version(until=6.5),)))
    assert runs == []
    (record,) = records
    assert (record.status, record.count) == (RunStatus.SKIPPED, 6)
    assert "deleted" in record.reason


def test_fires_of_a_job_disabled_or_paused_since_are_skipped() -> None:
    off = version(replace(SPEC, enabled=False), 2, since=6.5)
    _, records = sweep(JobHistory((version(until=6.5), off)))
    assert [(record.status, record.count) for record in records] == [(RunStatus.SKIPPED, 6)]
    _, records = sweep(JobHistory((version(),), (Pause("job", at(10.5), None, None),)))
    assert [(record.status, record.count) for record in records] == [(RunStatus.SKIPPED, 10)]


def test_a_fire_without_a_valid_implementation_is_missed_and_says_so() -> None:
    runs, records = sweep(JobHistory((version(replace(SPEC, impl_spec="gone")),)))
    assert runs == []
    assert any("gone" in record.reason and record.fire_time == at(10) for record in records)
    assert sum(record.count for record in records) == 10


def test_each_node_jobs_pin_the_nodes_there_are_and_miss_where_there_are_none() -> None:
    each = JobHistory((version(replace(SPEC, sharding_strategy=Strategy.EACH_NODE)),))
    runs, _ = sweep(each, nodes=("a", "b"))
    assert [(run.sharding_total_count, run.nodes) for run in runs] == [(2, ("a", "b"))]
    runs, records = sweep(each, nodes=())
    assert runs == []
    assert sum(record.count for record in records) == 10


@given(
    ran=st.sets(st.integers(1, 20)),
    cuts=st.lists(st.integers(-3, 23), min_size=0, max_size=3, unique=True).map(sorted),
    every=st.lists(st.integers(1, 5), min_size=4, max_size=4),
    enabled=st.lists(st.booleans(), min_size=4, max_size=4),
    pause=st.none() | st.tuples(st.integers(-2, 22), st.integers(1, 10)),
    policy=st.sampled_from(list(Misfire)),
    limit=st.integers(1, 5),
)
def test_every_due_fire_is_accounted_for_exactly_once(
    ran: set[int],
    cuts: list[int],
    every: list[int],
    enabled: list[bool],
    pause: tuple[int, int] | None,
    policy: Misfire,
    limit: int,
) -> None:
    bounds: list[float] = [-50.0, *map(float, cuts)]
    versions = [
        version(
            replace(SPEC, every=every[i] * MINUTE, enabled=enabled[i], misfire=policy, catch_up_limit=limit),
            i + 1,
            since,
            bounds[i + 1] if i + 1 < len(bounds) else None,
        )
        for i, since in enumerate(bounds)
    ]
    pauses = () if pause is None else (Pause("job", at(pause[0]), at(pause[0] + pause[1]), None),)
    history = JobHistory(tuple(versions), pauses)
    due = set()
    for minute in range(1, 21):
        found = history.at(at(minute))
        assert found is not None
        gap = int((found.spec.every or MINUTE) / MINUTE)
        epoch_minutes = int(at(minute).timestamp()) // 60
        if found.spec.enabled and epoch_minutes % gap == 0:
            due.add(minute)
    runs, records = sweep(history, tuple(due & ran), (0, 20))
    counted = len(runs) + sum(record.count for record in records)
    assert counted == len(due - ran)
    assert len({run.fire_time for run in runs}) == len(runs)
    assert not {(run.fire_time - T0) / MINUTE for run in runs} & ran
    for record in records:
        assert record.fire_time <= record.fire_until
        assert not any(record.fire_time <= run.fire_time <= record.fire_until for run in runs)
