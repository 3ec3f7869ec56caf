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
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.known_specs import KnownSpecs
from shardkeeper.node.works.specs import SpecAction, SpecsWork
from shardkeeper.ports.specs import Declined, ImplVersionRow, InvalidMark, JobVersionRow, SpecRows, SpecStore
from tests.contract.story import Story
from tests.node.links import FailingLink, failing_story

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
    work = SpecsWork(cast("SpecStore", store), HistoryReader(Limits()), "n1", KnownSpecs())
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


class Bench:
    def __init__(self) -> None:
        self.story: Story
        self.store: MemoryStore
        self.link: FailingLink
        self.story, self.store, self.link = failing_story()
        self.work = SpecsWork(self.store, HistoryReader(Limits()), "node-a", KnownSpecs())

    def read(self, *actions: SpecAction) -> list[SpecsRead]:
        done = self.work.run(actions or [ReadSpecs()])
        assert done.unanswered is None
        return [event for event in done.events if isinstance(event, SpecsRead)]

    def problem(self, job: str = "job") -> str | None:
        found: str | None = self.store.jobs(name=job)[0]["problem"]
        return found


@pytest.fixture
def bench() -> Bench:
    return Bench()


def version(read: SpecsRead, job: str = "job") -> int | None:
    last = read.jobs[job].last
    return None if last is None else last.version


def test_the_first_reading_is_of_everything_and_the_next_of_what_changed(bench: Bench) -> None:
    bench.story.job("one")
    bench.story.job("two")
    (first,) = bench.read()
    assert (first.whole, set(first.jobs), set(first.impls)) == (True, {"one", "two"}, {"impl"})
    bench.story.job("two", enabled=False)
    (second,) = bench.read()
    assert (second.whole, set(second.jobs)) == (False, {"two"})


def test_nothing_changed_is_no_news(bench: Bench) -> None:
    bench.story.job()
    bench.read()
    assert bench.read() == []


def test_an_empty_database_is_told_once(bench: Bench) -> None:
    assert [read.whole for read in bench.read()] == [True]


def test_readings_that_were_gathered_are_one(bench: Bench) -> None:
    bench.story.job()
    bench.link.calls.clear()
    assert len(bench.read(ReadSpecs(), ReadSpecs(), ReadSpecs())) == 1
    assert bench.link.calls["load"] == 1


def test_named_jobs_are_read_beside_what_changed(bench: Bench) -> None:
    bench.story.job("one")
    bench.read()
    (named,) = bench.read(ReadSpecs(("one", "nowhere")))
    assert (named.whole, set(named.jobs)) == (False, {"one", "nowhere"})
    assert named.jobs["nowhere"].versions == ()


def test_a_reading_that_fails_is_tried_again_and_misses_nothing(bench: Bench) -> None:
    bench.story.job()
    bench.read()
    bench.story.job(enabled=False)
    bench.link.failing = {"changes"}
    done = bench.work.run([ReadSpecs()])
    assert (list(done.events), list(done.left)) == ([], [ReadSpecs()])
    assert done.again_s > 0
    bench.link.failing = set()
    (read,) = bench.read(*done.left)
    assert set(read.jobs) == {"job"}


def test_a_mark_that_fails_is_made_by_the_next_try_and_the_change_is_not_missed(bench: Bench) -> None:
    bench.story.job()
    bench.read()
    bench.story.job(cron="61 * * * *", every=None)
    bench.link.failing = {"mark_invalid"}
    done = bench.work.run([ReadSpecs()])
    assert list(done.events) == []
    bench.link.failing = set()
    assert bench.read(*done.left)
    assert "cron" in (bench.problem() or "")


def test_an_invalid_version_is_marked_once_and_the_last_valid_one_stays_in_force(bench: Bench) -> None:
    bench.story.job()
    valid = bench.story.version()
    bench.read()
    bench.story.job(cron="61 * * * *", every=None)
    (read,) = bench.read()
    assert version(read) == valid
    assert "cron" in (bench.problem() or "")
    # the mark itself is a change that other nodes read
    bench.read()
    assert bench.read() == []
    assert bench.link.calls["mark_invalid"] == 1
    assert bench.story.kinds() == ["invalid"]


def test_after_a_restart_the_last_valid_version_is_in_force_still(bench: Bench) -> None:
    bench.story.job()
    valid = bench.story.version()
    bench.story.job(cron="61 * * * *", every=None)
    bench.read()
    again = SpecsWork(bench.store, HistoryReader(Limits()), "node-a", KnownSpecs())
    (read,) = again.run([ReadSpecs()]).events
    assert isinstance(read, SpecsRead)
    assert version(read) == valid


def test_an_invalid_impl_is_marked_and_its_last_valid_version_stays(bench: Bench) -> None:
    bench.story.job()
    valid = bench.story.impl_version()
    bench.story.world.author.put_impl("impl", entrypoint="__import__('os')")
    (read,) = bench.read()
    last = read.impls["impl"].versions[-1]
    assert (last.version.version, last.until) == (valid, None)
    assert "entrypoint" in (bench.problem() or "")


def test_a_node_declines_and_takes_back_as_it_is_told(bench: Bench) -> None:
    bench.story.job()
    versions = (bench.story.version(), bench.story.impl_version())
    bench.read(Decline("job", versions, "no module named acme"))
    assert bench.problem() == "node-a: no module named acme"
    bench.read(ForgetDeclines())
    assert bench.problem() is None


def test_a_decline_that_fails_is_tried_again(bench: Bench) -> None:
    bench.story.job()
    versions = (bench.story.version(), bench.story.impl_version())
    bench.link.failing = {"decline"}
    decline = Decline("job", versions, "no module named acme")
    assert list(bench.work.run([decline]).left) == [decline]


def test_pinned_versions_of_many_askers_are_one_reading(bench: Bench) -> None:
    bench.story.job()
    old, impl = bench.story.version(), bench.story.impl_version()
    bench.story.job(enabled=False)
    bench.link.calls.clear()
    done = bench.work.run([ReadPinned((old,), ()), ReadPinned((old, 99), (impl,))])
    (read,) = done.events
    assert isinstance(read, PinnedRead)
    assert [one.version for one in read.jobs] == [old]
    assert [one.version for one in read.impls] == [impl]
    assert set(read.missing) == {99}
    assert bench.link.calls["pinned"] == 1
