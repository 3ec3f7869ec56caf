"""No outcome is lost: not behind reports, not behind a locked row, not when the node stops in an outage."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from shardkeeper.domain.errors import JournalFull, PartlyUnanswered, StoreUnavailable
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording
from shardkeeper.domain.planner.actions import Record, Report
from shardkeeper.domain.planner.events import OutcomesAnswered
from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.memory.journal import MemoryJournal
from shardkeeper.memory.store import MemoryStore
from shardkeeper.node.works.outcomes import IN_ONE_CALL, LOCKED_AGAIN_S, OutcomesWork, in_order, replay
from shardkeeper.ports.runs import Claimed, RunStore
from tests.contract.story import A, B, Story
from tests.node.links import FailingLink, failing_story

T0 = datetime(2026, 11, 21, 12, tzinfo=UTC)


def key(item: int) -> AttemptKey:
    return AttemptKey(7, T0, item, 1)


def record(item: int, incarnation: str = "inc") -> Record:
    return Record(incarnation, Outcome(key(item), 1, AttemptStatus.COMPLETED))


def report(item: int, **said: Any) -> Report:
    return Report("inc", Progress(key(item), 1, **said))


class Store:
    """A RunStore of which the items ``locked`` time out, and which may be ``away``. ``said`` is what reached it."""

    def __init__(self) -> None:
        self.away = False
        self.locked: set[int] = set()
        self.said: list[tuple[str, list[int]]] = []
        self.reports: list[Progress] = []

    def progress(self, incarnation: str, reports: Sequence[Progress]) -> None:
        self.reports += reports
        self.answers("progress", [one.key for one in reports])

    def record(self, incarnation: str, outcomes: Sequence[Outcome]) -> list[OutcomeAnswer]:
        return self.answers("record", [one.key for one in outcomes])

    def answers(self, what: str, keys: Sequence[AttemptKey]) -> list[OutcomeAnswer]:
        if self.away:
            raise StoreUnavailable("away")
        self.said.append((what, [one.item for one in keys]))
        found = [None if one.item in self.locked else OutcomeAnswer(one, Recording.RECORDED) for one in keys]
        if None in found:
            raise PartlyUnanswered(found, "locked")
        return [one for one in found if one is not None]


class Time:
    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def work(store: Store, journal: MemoryJournal, time: Time) -> OutcomesWork:
    return OutcomesWork(cast("RunStore", store), journal, time)


def kept(journal: MemoryJournal) -> list[int]:
    return [outcome.key.item for _, outcome in journal.unsettled()]


def answered(events: Sequence[object]) -> list[int]:
    return [one.key.item for event in events if isinstance(event, OutcomesAnswered) for one in event.outcomes]


def test_in_an_outage_every_outcome_is_journaled_however_many_reports_stand_before_it(
    store: Store, journal: MemoryJournal, work: OutcomesWork
) -> None:
    store.away = True
    done = work.run([*(report(item) for item in range(2_000)), *(record(item) for item in range(2_000))])
    assert kept(journal) == list(range(2_000))
    assert (done.events, done.unanswered) == ([], "away")
    assert done.again_s > 0.0


def test_reports_that_wait_are_one_per_claim_with_the_last_word_for_each_column(
    store: Store, work: OutcomesWork
) -> None:
    store.away = True
    reports = [report(1, checkpoint={"at": 5}), *(report(1, fraction=part / 10) for part in range(10))]
    left = work.run([*reports, report(2)]).left
    assert [one.progress.key.item for one in left if isinstance(one, Report)] == [1, 2]
    store.away = False
    work.run(left)
    assert (store.reports[-2].checkpoint, store.reports[-2].fraction) == ({"at": 5}, 0.9)


def test_reports_go_before_outcomes(store: Store, work: OutcomesWork) -> None:
    work.run([record(1), report(1, fraction=0.5)])
    assert [what for what, _ in store.said] == ["progress", "record"]


def test_that_an_attempt_began_is_not_told_when_its_outcome_goes_out_too(
    store: Store, work: OutcomesWork
) -> None:
    done = work.run([report(1, code_version="a"), record(1), report(2, code_version="a")])
    assert store.said == [("progress", [2]), ("record", [1])]
    assert done.left == []


def test_what_was_recorded_is_answered_and_settled_although_a_row_is_locked(
    store: Store, journal: MemoryJournal, work: OutcomesWork
) -> None:
    store.locked = {1}
    done = work.run([record(item) for item in range(3)])
    assert answered(done.events) == [0, 2]
    assert [one.outcome.key.item for one in done.left if isinstance(one, Record)] == [1]
    assert kept(journal) == [1]


def test_what_is_locked_is_tried_apart_and_only_after_a_while(
    store: Store, journal: MemoryJournal, work: OutcomesWork, time: Time
) -> None:
    store.locked = {1}
    left = work.run([record(0), record(1)]).left
    store.said.clear()
    left = work.run([*left, record(2)]).left
    assert store.said == [("record", [2])]
    store.locked.clear()
    time.seconds += LOCKED_AGAIN_S
    done = work.run([*left, record(3)])
    assert store.said[1:] == [("record", [3]), ("record", [1])]
    assert (list(done.left), kept(journal)) == ([], [])


def test_an_outcome_does_not_overtake_its_report_that_is_locked(store: Store, work: OutcomesWork) -> None:
    store.locked = {1}
    done = work.run([report(1, checkpoint=3), report(2, checkpoint=3), record(1), record(2)])
    assert store.said == [("progress", [1, 2]), ("record", [2])]
    assert len(done.left) == 2


def test_a_backlog_goes_out_in_calls_of_a_bounded_size_without_a_wait(
    store: Store, work: OutcomesWork
) -> None:
    done = work.run([record(item) for item in range(IN_ONE_CALL + 1)])
    assert len(answered(done.events)) == IN_ONE_CALL
    assert (len(done.left), done.again_s) == (1, 0.0)


def test_a_full_journal_is_told_and_nothing_is_given_up(store: Store, time: Time) -> None:
    store.away = True
    work = OutcomesWork(cast("RunStore", store), MemoryJournal(limit=0), time)
    done = work.run([record(0)])
    assert len(done.left) == 1
    assert done.unanswered is not None
    assert "journal" in done.unanswered


def test_what_is_dropped_when_the_lane_ends_is_journaled(journal: MemoryJournal, work: OutcomesWork) -> None:
    work.dropped([report(0), record(1), record(2, "other")])
    assert [(owner, outcome.key.item) for owner, outcome in journal.unsettled()] == [("inc", 1), ("other", 2)]


def test_what_is_dropped_and_cannot_be_kept_is_an_error(store: Store, time: Time) -> None:
    with pytest.raises(JournalFull):
        OutcomesWork(cast("RunStore", store), MemoryJournal(limit=0), time).dropped([record(0)])


def test_a_replay_joins_although_a_row_is_locked_and_leaves_that_to_the_lane(
    store: Store, journal: MemoryJournal, work: OutcomesWork
) -> None:
    journal.append("old", [record(item).outcome for item in range(3)])
    store.locked = {1}
    later: list[Record] = []
    replay(cast("RunStore", store), journal, later.append)
    assert [(one.incarnation, one.outcome.key.item) for one in later] == [("old", 1)]
    assert kept(journal) == [1]
    store.locked.clear()
    work.run(later)
    assert kept(journal) == []


def test_a_replay_that_nobody_answers_is_tried_again(store: Store, journal: MemoryJournal) -> None:
    journal.append("old", [record(0).outcome])
    store.away = True
    with pytest.raises(StoreUnavailable):
        replay(cast("RunStore", store), journal, lambda _: None)
    assert kept(journal) == [0]


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
    (event,) = done.events
    assert isinstance(event, OutcomesAnswered)
    assert [answer.recording for answer in event.answers] == [Recording.RECORDED] * 2
    assert event.outcomes == tuple(record.outcome for record in records)
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
    (event,) = bench.work.run(done.left).events
    assert isinstance(event, OutcomesAnswered)
    assert event.answers[0].recording is Recording.REPEATED
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
    assert answered(done.events) == [first.key.item]
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


def test_what_cannot_be_stored_in_the_replay_goes_back_and_uses_up_nothing(bench: Bench) -> None:
    (held,) = bench.held(1)
    bench.journal.append(A, [bench.story.outcome(held, result="\u0000")])
    replay(bench.store, bench.journal, later=lambda record: pytest.fail(str(record)))
    assert bench.kept == []
    (attempt,) = bench.story.attempts(held.key.run_id)
    assert (attempt["status"], attempt["tries"], attempt["takeovers"]) == ("PENDING", 0, 0)
