"""The lane of the own lease: nothing is lost, nothing overtakes, beats that piled up are one."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.leases import Registration
from shardkeeper.domain.planner.actions import Beat, Join, Leave, MirrorView, Replay, SayDraining, TakeOver
from shardkeeper.domain.planner.events import (
    Beaten,
    BeatUnanswered,
    DrainAnswered,
    JoinAnswered,
    Left,
    TakeoverAnswered,
)
from shardkeeper.domain.view import Member, View
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.works.leases import LeaseWork, TakeoverWork
from tests.contract.story import A, B, Story
from tests.node.links import FailingLink, failing_story

C = "node-c/1"


def view(epoch: int) -> View:
    return View("lineage", epoch, A, (Member("node-a", A),), datetime(2026, 11, 21, tzinfo=UTC))


class Bench:
    def __init__(self) -> None:
        self.story: Story
        self.store: MemoryStore
        self.link: FailingLink
        self.story, self.store, self.link = failing_story()
        self.mono = 100.0
        self.work = LeaseWork(self.store, self._who, lambda: self.mono, self._replay)

    def _who(self, incarnation: str) -> Registration:
        return Registration(incarnation.split("/")[0], incarnation, "host", 1, 1.0, {}, "1.0")

    def _replay(self) -> None:
        self.link.before("replay")


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_join_comes_after_the_journals_replay(bench: Bench) -> None:
    (answered,) = bench.work.run([Join(C)]).events
    assert isinstance(answered, JoinAnswered)
    assert (answered.incarnation, answered.answer.joined) == (C, True)
    assert bench.link.order == ["replay", "join"]


def test_a_replay_that_is_asked_for_waits_for_no_join_and_is_tried_again(bench: Bench) -> None:
    bench.link.failing = {"replay"}
    assert list(bench.work.run([Replay()]).left) == [Replay()]
    bench.link.failing = set()
    assert list(bench.work.run([Replay()]).events) == []
    assert bench.link.order[-1] == "replay"


def test_a_join_is_tried_again_as_long_as_the_replay_or_the_store_fails(bench: Bench) -> None:
    for failing in ("replay", "join"):
        bench.link.failing = {failing}
        done = bench.work.run([Join(C)])
        assert (done.events, done.left) == ([], [Join(C)])
        assert done.again_s > 0
        assert failing in (done.unanswered or "")


def test_the_own_lease_counts_from_before_the_beat_is_sent(bench: Bench) -> None:
    class Slow(FailingLink):
        def before(self, call: str) -> None:
            bench.mono += 3.0

    bench.store.link = Slow()
    (beaten,) = bench.work.run([Beat(A)]).events
    assert isinstance(beaten, Beaten)
    assert beaten.sent_mono == 100.0


def test_a_beat_that_fails_is_told_and_not_sent_again_but_what_stands_behind_it_is_in_its_order(
    bench: Bench,
) -> None:
    bench.link.failing = {"beat"}
    done = bench.work.run([Beat(A), SayDraining(A, True), Leave(B), MirrorView(view(1))])
    assert done.events == [BeatUnanswered("beat failed")]
    assert done.left == [SayDraining(A, True), Leave(B), MirrorView(view(1))]
    bench.link.failing = set()
    events = bench.work.run(done.left).events
    assert events == [DrainAnswered(A, True), Left(B, True)]


def test_what_was_answered_before_a_failure_stands(bench: Bench) -> None:
    bench.link.failing = {"leave"}
    done = bench.work.run([SayDraining(A, True), Leave(A)])
    assert done.events == [DrainAnswered(A, True)]
    assert done.left == [Leave(A)]


def test_a_beat_that_was_answered_stays_answered_when_the_mirroring_after_it_fails(bench: Bench) -> None:
    bench.link.failing = {"mirror_view"}
    done = bench.work.run([MirrorView(view(3)), Beat(A)])
    assert [type(event) for event in done.events] == [Beaten]
    assert (done.left, done.unanswered) == ([MirrorView(view(3))], "mirror_view failed")


def test_beats_that_piled_up_are_one(bench: Bench) -> None:
    bench.work.run([Beat(A), Beat(A), Beat(A)])
    assert bench.link.order == ["beat"]


def test_a_beat_that_is_to_tell_of_something_asked_before_it_is_not_merged_away(bench: Bench) -> None:
    done = bench.work.run([Beat(A), SayDraining(A, True), Beat(A), Beat(B)])
    assert bench.link.order == ["beat", "drain", "beat", "beat"]
    assert [type(event) for event in done.events] == [Beaten, DrainAnswered, Beaten, Beaten]


def test_only_the_newest_view_is_mirrored_and_after_all_else(bench: Bench) -> None:
    bench.work.run([MirrorView(view(1)), Join(C), Beat(A), MirrorView(view(2)), SayDraining(A, True)])
    assert bench.link.order == ["replay", "join", "beat", "drain", "mirror_view"]
    assert bench.link.calls["mirror_view"] == 1
    mirrored = bench.store.beat(A).mirrored
    assert mirrored is not None
    assert mirrored.epoch == 2


def test_leaving_is_refused_while_something_runs_under_the_lease(bench: Bench) -> None:
    bench.story.job()
    held = bench.story.running()
    assert bench.work.run([Leave(A)]).events == [Left(A, False)]
    bench.story.end(held)
    assert bench.work.run([Leave(A)]).events == [Left(A, True)]


def test_a_takeover_is_answered_and_one_that_fails_is_left_to_the_next_look(bench: Bench) -> None:
    work = TakeoverWork(bench.store)
    beat = next(lease.beat for lease in bench.store.beat(B).leases if lease.incarnation == A)
    bench.link.failing = {"take_over"}
    with pytest.raises(StoreUnavailable):
        work.run([TakeOver(B, A, beat)])
    bench.link.failing = set()
    (answered,) = work.run([TakeOver(B, A, beat)]).events
    assert isinstance(answered, TakeoverAnswered)
    assert (answered.dead, answered.answer.taken) == (A, True)
