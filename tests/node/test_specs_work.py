"""No change of a spec is lost to a node, and what only newer nodes understand is declined, never marked invalid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.planner.actions import Decline, ForgetDeclines, ReadPinned, ReadSpecs
from shardkeeper.domain.planner.events import PinnedRead, SpecsRead
from shardkeeper.domain.validation import Limits
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.works.specs import SpecsWork
from shardkeeper.ports.specs import Declined, ImplVersionRow, InvalidMark, JobVersionRow, SpecRows, SpecStore

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOTHING = SpecRows(frozenset(), frozenset(), (), (), (), T0, "0")


def rows(jobs: Mapping[str, Any] | None = None, impls: Mapping[str, Any] | None = None) -> SpecRows:
    """``jobs``: columns beside the usual by name; ``impls`` the same."""
    jobs, impls = jobs or {}, impls or {}
    return replace(
        NOTHING,
        jobs_named=frozenset(jobs),
        impls_named=frozenset(impls),
        jobs=tuple(
            JobVersionRow(name, number, {"name": name, "impl_spec": "impl", "every": "PT10S", **columns}, T0)
            for number, (name, columns) in enumerate(jobs.items())
        ),
        impls=tuple(
            ImplVersionRow(
                name,
                number,
                {"name": name, "kind": "python", "entrypoint": "m:Task", **columns},
                (),
                T0,
            )
            for number, (name, columns) in enumerate(impls.items())
        ),
    )


class Store:
    """A SpecStore that is told what changed since which token; calls named in ``cut`` fail."""

    def __init__(self, first: SpecRows) -> None:
        self.first = first
        self.changed: dict[str, SpecRows] = {}
        self.cut: set[str] = set()
        self.declined: list[Declined] = []
        self.marked: list[InvalidMark] = []
        self.forgotten = 0

    def load(self) -> SpecRows:
        return self.first

    def changes(self, token: str) -> SpecRows:
        self.fails("changes")
        return self.changed.get(token, replace(NOTHING, token=token))

    def named(self, jobs: Sequence[str], impls: Sequence[str]) -> SpecRows:
        self.fails("named")
        return replace(rows({name: {} for name in jobs}), token="named")

    def pinned(self, jobs: Sequence[int], impls: Sequence[int]) -> SpecRows:
        return NOTHING

    def decline(self, declined: Sequence[Declined]) -> None:
        self.fails("decline")
        self.declined += declined

    def forget_declines(self, node_id: str) -> None:
        self.forgotten += 1

    def mark_invalid(self, marks: Sequence[InvalidMark]) -> None:
        self.marked += marks

    def fails(self, call: str) -> None:
        if call in self.cut:
            raise StoreUnavailable(f"{call} is cut")

    def reasons(self) -> dict[str, str | None]:
        return {one.job_name: one.reason for one in self.declined}


@pytest.fixture
def store() -> Store:
    return Store(rows({"a": {}}, {"impl": {}}))


@pytest.fixture
def work(store: Store) -> SpecsWork:
    work = SpecsWork(cast("SpecStore", store), HistoryReader(Limits()), "n1")
    work.run([ReadSpecs()])
    return work


def jobs_told(events: Sequence[object]) -> list[str]:
    return [name for event in events if isinstance(event, SpecsRead) for name in event.jobs]


def test_a_change_is_told_although_a_later_call_of_the_same_round_fails(
    store: Store, work: SpecsWork
) -> None:
    store.changed["0"] = replace(rows({"new": {}}), token="1")
    store.cut = {"named"}
    done = work.run([ReadSpecs(("other",))])
    assert jobs_told(done.events) == ["new"]
    assert done.unanswered == "named is cut"
    store.cut.clear()
    assert jobs_told(work.run(done.left).events) == ["other"]


def test_a_change_that_was_read_and_could_not_be_told_is_read_again(store: Store, work: SpecsWork) -> None:
    store.changed["0"] = replace(rows({"new": {"columns_of": "tomorrow"}}), token="1")
    store.cut = {"decline"}
    done = work.run([ReadSpecs()])
    assert jobs_told(done.events) == []
    store.cut.clear()
    assert jobs_told(work.run(done.left).events) == ["new"]
    assert list(store.reasons()) == ["new"]


def test_what_was_written_and_read_is_not_done_again_with_what_failed(store: Store, work: SpecsWork) -> None:
    store.cut = {"changes"}
    done = work.run([Decline("a", (1, 1), "no such module"), ReadPinned((1,), ()), ReadSpecs()])
    assert [type(event) for event in done.events] == [PinnedRead]
    assert list(done.left) == [ReadSpecs()]


def test_jobs_of_an_impl_that_only_newer_nodes_know_are_declined_and_nothing_is_marked(
    store: Store, work: SpecsWork
) -> None:
    store.changed["0"] = replace(rows(impls={"impl": {"columns_of": "tomorrow"}}), token="1")
    work.run([ReadSpecs()])
    assert "columns_of" in str(store.reasons()["a"])
    assert store.marked == []


def test_a_job_that_comes_to_name_such_an_impl_is_declined_and_one_that_leaves_it_is_not(
    store: Store, work: SpecsWork
) -> None:
    store.changed["0"] = replace(rows(impls={"late": {"columns_of": "tomorrow"}}), token="1")
    store.changed["1"] = replace(rows({"b": {"impl_spec": "late"}}), token="2")
    store.changed["2"] = replace(rows({"b": {"impl_spec": "impl"}}), token="3")
    work.run([ReadSpecs()])
    assert store.declined == []
    work.run([ReadSpecs()])
    assert store.reasons()["b"] is not None
    work.run([ReadSpecs()])
    assert store.reasons() == {"b": None}


def test_what_is_understood_again_is_no_longer_declined(store: Store, work: SpecsWork) -> None:
    store.changed["0"] = replace(rows(impls={"impl": {"columns_of": "tomorrow"}}), token="1")
    store.changed["1"] = replace(rows(impls={"impl": {}}), token="2")
    work.run([ReadSpecs()])
    work.run([ReadSpecs()])
    assert store.reasons() == {"a": None}


def test_renewed_code_does_not_make_a_node_understand_a_newer_spec(store: Store, work: SpecsWork) -> None:
    store.changed["0"] = replace(rows({"new": {"columns_of": "tomorrow"}}), token="1")
    work.run([ReadSpecs()])
    store.declined.clear()
    work.run([ForgetDeclines()])
    assert (store.forgotten, list(store.reasons())) == (1, ["new"])
