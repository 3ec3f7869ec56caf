"""The sweep waits until it can judge, and leaves to others what it cannot."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.facts import SweepLeftToOthers
from shardkeeper.domain.planner.actions import Alert
from shardkeeper.domain.validation import Limits
from shardkeeper.node.duties import Round
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.works.sweep import LONGEST_REST_S, MOST_ATTEMPTS, STEP_ASIDE_S, SweepWork
from shardkeeper.ports.duties import Choose, MisfireRun, RangeRecord, SweepSlice, SweepStore, SweptJob
from shardkeeper.ports.specs import ImplVersionRow, JobVersionRow

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)
ROUND = [Round("sweep", "inc")]
DUTY_IS_HELD_S = 60.0


def found(job: dict[str, Any], impl: dict[str, Any]) -> SweepSlice:
    """One job, and one fire in the window."""
    spec = {"name": "a", "impl_spec": "impl", "every": "PT30S", "misfire": "all", **job}
    stored = {"name": "impl", "kind": "python", "entrypoint": "m:Task", **impl}
    since = T0 - timedelta(hours=1)
    return SweepSlice(
        T0,
        T0 + timedelta(seconds=30),
        "",
        "",
        (SweptJob("a", (JobVersionRow("a", 5, spec, since),), (), frozenset()),),
        (ImplVersionRow("impl", 7, stored, (), since),),
        T0 + timedelta(seconds=60),
        True,
    )


class Bench:
    """A SweepStore with one slice to give, and the work on it."""

    def __init__(self, job: dict[str, Any] | None = None, impl: dict[str, Any] | None = None) -> None:
        self.slice = found(job or {}, impl or {})
        self.nodes: tuple[str, ...] = ()
        self.mono = 1_000.0
        self.begun = 0
        self.runs: list[MisfireRun] = []
        self.records: list[RangeRecord] = []
        self.facts: list[object] = []
        self.alerts: list[Alert] = []
        self.work = SweepWork(
            cast("SweepStore", self),
            HistoryReader(Limits()),
            KnownSpecs(),
            lambda spec: self.nodes if spec.sharding_strategy == "each_node" else None,
            lambda: bool(self.nodes),
            lambda: self.mono,
            self.facts.append,
            self.alerts.append,
            on_time_window_s=30.0,
            slices_per_round=1,
        )

    def sweep_begin(self, incarnation: str, limit: int, choose: Choose) -> SweepSlice | None:
        self.begun += 1
        return self.slice

    def sweep_apply(
        self, incarnation: str, done: SweepSlice, runs: list[MisfireRun], records: list[RangeRecord]
    ) -> bool:
        self.runs += runs
        self.records += records
        return True


def test_nothing_is_judged_before_any_member_is_known() -> None:
    bench = Bench({"sharding_strategy": "each_node", "sharding_total_count": 1})
    bench.work.run(ROUND)
    assert (bench.begun, bench.records) == (0, [])
    bench.nodes = ("n1",)
    bench.work.run(ROUND)
    assert [run.nodes for run in bench.runs] == [("n1",)]


@pytest.mark.parametrize("where", ["job", "impl"])
def test_a_spec_of_a_newer_version_is_left_to_a_node_that_knows_it(where: str) -> None:
    newer = {"columns_of": "tomorrow"}
    bench = Bench(newer if where == "job" else {}, newer if where == "impl" else {})
    bench.nodes = ("n1",)
    bench.work.run(ROUND)
    assert (bench.runs, bench.records) == ([], [])
    name = {"job": "a", "impl": "impl"}[where]
    assert [fact.jobs for fact in bench.facts if isinstance(fact, SweepLeftToOthers)] == [(name,)]
    assert [(alert.kind, alert.body["name"]) for alert in bench.alerts] == [("sweep_left", name)]


def test_the_duty_is_let_go_for_longer_than_it_is_held() -> None:
    bench = Bench({"columns_of": "tomorrow"})
    bench.nodes = ("n1",)
    bench.work.run(ROUND)
    bench.mono += 2 * DUTY_IS_HELD_S
    bench.work.run(ROUND)
    assert bench.begun == 1
    bench.mono += STEP_ASIDE_S
    bench.work.run(ROUND)
    assert bench.begun == 2


def test_the_time_for_which_it_was_let_go_is_no_time_of_sweeping() -> None:
    bench = Bench({"columns_of": "tomorrow"})
    bench.nodes = ("n1",)
    bench.work.run(ROUND)
    bench.slice = found({}, {})
    bench.mono += STEP_ASIDE_S
    for _ in range(2):
        bench.work.run(ROUND)
        bench.mono += 0.1
    assert bench.begun == 3


class ManyJobs(Bench):
    """A store of so many jobs, each with one fire of so many items; it takes as long as what it is to insert says."""

    def __init__(self, jobs: int, items: int, most_items: int = 10**9) -> None:
        super().__init__()
        self.nodes = ("n1",)
        self.jobs = [f"job-{number:04}" for number in range(jobs)]
        self.items = items
        self.most_items = most_items
        self.limits: list[int] = []
        self.applied: list[int] = []

    def sweep_begin(self, incarnation: str, limit: int, choose: Choose) -> SweepSlice | None:
        self.limits.append(limit)
        names = self.jobs[:limit]
        if not names:
            return None
        one = found({"sharding_total_count": self.items}, {})
        (job,) = one.jobs
        (version,) = job.versions
        assert version.spec is not None
        jobs = [
            replace(
                job,
                job_name=name,
                versions=(replace(version, job_name=name, spec={**version.spec, "name": name}),),
            )
            for name in names
        ]
        return replace(one, jobs=tuple(jobs), last=len(jobs) == len(self.jobs))

    def sweep_apply(
        self, incarnation: str, done: SweepSlice, runs: list[MisfireRun], records: list[RangeRecord]
    ) -> bool:
        items = sum(run.sharding_total_count for run in runs)
        if items > self.most_items:
            raise StoreUnavailable("statement timeout")
        self.applied.append(items)
        del self.jobs[: len(done.jobs)]
        return True


def rounds(bench: Bench, most: int = 50) -> None:
    """Round after round, until the window is swept."""
    bench.work = SweepWork(
        cast("SweepStore", bench),
        HistoryReader(Limits()),
        KnownSpecs(),
        lambda spec: None,
        lambda: True,
        lambda: bench.mono,
        bench.facts.append,
        bench.alerts.append,
        on_time_window_s=30.0,
    )
    for _ in range(most):
        with suppress(StoreUnavailable):
            bench.work.run(ROUND)


def test_what_is_too_much_for_one_call_is_inserted_in_several() -> None:
    bench = ManyJobs(jobs=100, items=1_000)
    rounds(bench, most=1)
    assert sum(bench.applied) == 100_000
    assert max(bench.applied) <= MOST_ATTEMPTS


def test_a_slice_that_takes_too_long_is_tried_with_half_as_many_jobs_until_it_is_done() -> None:
    bench = ManyJobs(jobs=64, items=10, most_items=40)
    rounds(bench)
    assert sum(bench.applied) == 640
    assert bench.jobs == []


def test_a_slice_of_which_something_changed_is_begun_again_with_half_as_many_jobs() -> None:
    """Where specs are edited all the time, fewer of few jobs change while they are swept."""

    class Edited(ManyJobs):
        def sweep_apply(
            self, incarnation: str, done: SweepSlice, runs: list[MisfireRun], records: list[RangeRecord]
        ) -> bool:
            return len(done.jobs) <= 5 and super().sweep_apply(incarnation, done, runs, records)

    bench = Edited(jobs=20, items=1)
    rounds(bench, most=1)
    assert bench.jobs == []
    assert bench.limits[:4] == [1_000, 500, 250, 125]


def test_slices_grow_again_after_what_was_too_much() -> None:
    bench = ManyJobs(jobs=21, items=1_000)
    rounds(bench, most=1)
    bench.jobs = [f"later-{number}" for number in range(3)]
    bench.items = 1
    for _ in range(12):
        bench.jobs.append("more")
        bench.work.run(ROUND)
    assert max(bench.limits[-3:]) == bench.limits[0]


class Windows(Bench):
    """A store with so many windows to sweep, of one slice each; their ends lie so many seconds back."""

    def __init__(self, *behind_s: float) -> None:
        super().__init__()
        self.nodes = ("n1",)
        self.behind_s = list(behind_s)
        self.swept: list[float] = []
        self.takes_s = self.writes_s = 0.0
        self.failing = False
        self.jobs: tuple[SweptJob, ...] | None = None
        rounds(self, most=0)

    def sweep_begin(self, incarnation: str, limit: int, choose: Choose) -> SweepSlice | None:
        one = found({}, {})
        self.mono += self.takes_s
        now = one.window_until + timedelta(seconds=self.behind_s[0])
        return replace(one, jobs=one.jobs if self.jobs is None else self.jobs, now=now)

    def sweep_apply(
        self, incarnation: str, done: SweepSlice, runs: list[MisfireRun], records: list[RangeRecord]
    ) -> bool:
        if self.failing:
            raise StoreUnavailable("refused")
        self.mono += self.writes_s
        self.swept.append(self.behind_s.pop(0))
        return True


def test_a_window_that_was_begun_just_now_is_the_only_one_of_its_round() -> None:
    bench = Windows(30.0, 30.0)
    bench.work.run(ROUND)
    assert bench.swept == [30.0]


def test_a_window_from_before_an_outage_is_followed_by_the_next_at_once() -> None:
    bench = Windows(95.0, 30.0, 30.0)
    bench.work.run(ROUND)
    assert bench.swept == [95.0, 30.0]


def test_what_took_long_to_sweep_is_left_alone_three_times_as_long_and_never_for_half_a_minute() -> None:
    bench = Windows(34.0, 34.0, 150.0, 30.0)
    bench.takes_s = 4.0
    bench.work.run(ROUND)
    bench.mono += 11.9
    bench.work.run(ROUND)
    assert bench.swept == [34.0]
    bench.mono += 0.2
    bench.takes_s = 20.0
    bench.work.run(ROUND)
    assert bench.swept == [34.0, 34.0]
    bench.mono += LONGEST_REST_S
    bench.takes_s = 0.0
    bench.work.run(ROUND)
    assert bench.swept == [34.0, 34.0, 150.0, 30.0]


def test_where_nothing_was_missed_it_rests_twenty_times_as_long() -> None:
    bench = Windows(31.0, 31.0)
    bench.jobs = ()
    bench.takes_s = 1.0
    bench.work.run(ROUND)
    bench.mono += 19.9
    bench.work.run(ROUND)
    assert bench.swept == [31.0]
    bench.mono += 0.2
    bench.work.run(ROUND)
    assert bench.swept == [31.0, 31.0]


def test_what_took_long_to_write_is_followed_by_the_next_round() -> None:
    """As after an outage: what was just not old enough by then is to be accounted for soon."""
    bench = Windows(33.0, 33.0)
    bench.takes_s, bench.writes_s = 0.1, 3.0
    bench.work.run(ROUND)
    bench.mono += 0.4
    bench.work.run(ROUND)
    assert bench.swept == [33.0, 33.0]


def test_a_window_that_lies_behind_by_its_own_sweeping_alone_is_no_outage() -> None:
    bench = Windows(50.0, 30.0)
    bench.takes_s = 20.0
    bench.work.run(ROUND)
    assert bench.swept == [50.0]


def test_the_time_of_an_outage_is_no_time_of_sweeping() -> None:
    bench = Windows(30.0, 30.0)
    bench.failing = True
    with pytest.raises(StoreUnavailable):
        bench.work.run(ROUND)
    bench.mono += 60.0
    bench.failing = False
    bench.work.run(ROUND)
    bench.mono += 0.1
    bench.work.run(ROUND)
    assert bench.swept == [30.0, 30.0]
