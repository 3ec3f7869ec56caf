"""Outcomes are never given up: written, kept while they cannot be, replayed before the next life."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.outcomes import Outcome, Progress, Recording
from shardkeeper.domain.planner.actions import Record, Report
from shardkeeper.domain.planner.events import OutcomesAnswered
from shardkeeper.memory.journal import MemoryJournal
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.works.outcomes import OutcomesWork, in_order, replay
from shardkeeper.ports.runs import Claimed
from tests.contract.story import A, B, Story
from tests.node.links import FailingLink, failing_story


class Bench:
    def __init__(self) -> None:
        self.story: Story
        self.store: MemoryStore
        self.link: FailingLink
        self.story, self.store, self.link = failing_story()
        self.journal = MemoryJournal()
        self.mono = 100.0
        self.work = OutcomesWork(self.store, self.journal, lambda: self.mono)

    def held(self, count: int) -> tuple[Claimed, ...]:
        """Items of one run, all held by A."""
        self.story.job(sharding_total_count=count)
        return self.story.create().claimed

    def record(self, of: Claimed) -> Record:
        return Record(A, self.story.outcome(of, result=of.key.item))

    def report(self, of: Claimed, **said: Any) -> Report:
        return Report(A, Progress(of.key, of.claim_no, **said))

    @property
    def kept(self) -> list[Outcome]:
        return [outcome for _, outcome in self.journal.unsettled()]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_outcomes_that_are_recorded_are_answered_and_not_kept(bench: Bench) -> None:
    records = [bench.record(one) for one in bench.held(2)]
    done = bench.work.run(records)
    (answered,) = done.events
    assert isinstance(answered, OutcomesAnswered)
    assert [answer.recording for answer in answered.answers] == [Recording.RECORDED] * 2
    assert answered.outcomes == tuple(record.outcome for record in records)
    assert (list(done.left), bench.kept, bench.link.calls["record"]) == ([], [], 1)


def test_outcomes_that_cannot_be_recorded_are_kept_and_tried_for_ever(bench: Bench) -> None:
    records = [bench.record(one) for one in bench.held(2)]
    bench.link.failing = {"record"}
    left: Sequence[Record | Report] = records
    for _ in range(3):
        done = bench.work.run(left)
        assert list(done.left) == records
        assert done.again_s > 0
        assert "record failed" in (done.unanswered or "")
        left = done.left
    assert bench.kept == [record.outcome for record in records]
    bench.link.failing = set()
    assert bench.work.run(left).events
    assert bench.kept == []


def test_an_outcome_whose_answer_was_lost_is_answered_by_the_next_try(bench: Bench) -> None:
    (held,) = bench.held(1)
    bench.link.unheard = {"record"}
    done = bench.work.run([bench.record(held)])
    assert len(done.left) == 1
    (answered,) = bench.work.run(done.left).events
    assert isinstance(answered, OutcomesAnswered)
    assert answered.answers[0].recording is Recording.REPEATED
    assert bench.kept == []


def test_no_outcome_overtakes_a_report_that_failed(bench: Bench) -> None:
    (held,) = bench.held(1)
    bench.link.failing = {"progress"}
    done = bench.work.run([bench.report(held, checkpoint={"done": 1}), bench.record(held)])
    assert [type(one) for one in done.left] == [Report, Record]
    assert bench.link.calls["record"] == 0
    assert len(bench.kept) == 1


def test_reports_of_other_claims_and_of_other_lives_stay_apart(bench: Bench) -> None:
    (held,) = bench.held(1)
    progress = Progress(held.key, held.claim_no, fraction=0.5)
    newer = Progress(held.key, held.claim_no + 1, fraction=0.1)
    assert len(in_order([Report(A, progress), Report(A, newer), Report(B, progress)])) == 3


def test_what_one_life_recorded_stands_though_the_others_call_failed(bench: Bench) -> None:
    first, second = bench.held(2)

    class SecondFails(FailingLink):
        def before(self, call: str) -> None:
            super().before(call)
            if call == "record" and self.calls[call] == 2:
                raise StoreUnavailable("the second")

    bench.store.link = SecondFails()
    other = Record(B, bench.story.outcome(second))
    done = bench.work.run([bench.record(first), other])
    assert len(done.events) == 1
    assert list(done.left) == [other]
    assert bench.kept == [other.outcome]


def test_the_replay_records_under_the_life_that_ended_it_and_empties_the_journal(bench: Bench) -> None:
    (held,) = bench.held(1)
    bench.journal.append(A, [bench.story.outcome(held, result=42)])
    replay(bench.store, bench.journal, later=lambda record: pytest.fail(str(record)))
    assert bench.kept == []
    assert bench.story.row(held.key.run_id)["result"] == 42


def test_the_replay_of_what_was_taken_over_meanwhile_changes_nothing(bench: Bench) -> None:
    (held,) = bench.held(1)
    bench.story.kill(A)
    bench.journal.append(A, [bench.story.outcome(held)])
    replay(bench.store, bench.journal, later=lambda record: pytest.fail(str(record)))
    assert bench.kept == []
    assert bench.story.statuses(held.key.run_id) == ["LOST", "PENDING"]
