"""The sweep waits until it can judge, and leaves to others what it cannot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from shardkeeper.domain.facts import SweepLeftToOthers
from shardkeeper.domain.planner.actions import Alert
from shardkeeper.domain.validation import Limits
from shardkeeper.node.duties import Round
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.works.sweep import STEP_ASIDE_S, SweepWork
from shardkeeper.ports.duties import MisfireRun, RangeRecord, SweepSlice, SweepStore, SweptJob
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
        T0 + timedelta(seconds=80),
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
            lambda spec: self.nodes if spec.sharding_strategy == "each_node" else None,
            lambda: bool(self.nodes),
            lambda: self.mono,
            self.facts.append,
            self.alerts.append,
            slices_per_round=1,
        )

    def sweep_begin(self, incarnation: str, limit: int) -> SweepSlice | None:
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
