"""Reading specs: nothing that changed is missed, bad versions are marked, what is not understood is declined."""

from __future__ import annotations

import pytest

from shardkeeper.domain.planner.actions import Decline, ForgetDeclines, ReadPinned, ReadSpecs
from shardkeeper.domain.planner.events import PinnedRead, SpecsRead
from shardkeeper.domain.validation import Limits
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.histories import HistoryReader
from shardkeeper.node.works.specs import SpecAction, SpecsWork
from tests.contract.story import Story
from tests.node.links import FailingLink, failing_story


class Bench:
    def __init__(self) -> None:
        self.story: Story
        self.store: MemoryStore
        self.link: FailingLink
        self.story, self.store, self.link = failing_story()
        self.work = SpecsWork(self.store, HistoryReader(Limits()), "node-a")

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
    again = SpecsWork(bench.store, HistoryReader(Limits()), "node-a")
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
