"""PENDING attempts: taken by their owner, adopted by rank, closed only when nobody was seen fit for long."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Recording
from shardkeeper.domain.planner.actions import (
    Claim,
    CloseUnrunnable,
    ReadPending,
    ReadPinned,
    Record,
    Wake,
)
from shardkeeper.domain.planner.events import Hinted, OutcomesAnswered, PinnedRead
from shardkeeper.domain.runs import AttemptStatus, RunStatus, TriggerKind
from shardkeeper.domain.specs import Overlap
from tests.domain.planner.desk import Desk, claimed, job, key, lease, of, row


def with_job(desk: Desk, **spec: Any) -> Desk:
    desk.specs(job(since_s=10_000, **spec))
    return desk


def test_the_owner_takes_its_own_at_once() -> None:
    desk = with_job(Desk().up())
    assert of(desk.pending(row()), Claim) == [Claim(desk.incarnation, (key(),))]


def test_the_next_in_rank_takes_what_was_left_lying_one_delay_a_rank() -> None:
    desk = Desk().up("n1", "n2")
    foreign = next(
        f"job-{n}" for n in range(99) if desk.planner.mind.membership.creator(job(f"job-{n}").spec) == "n2"
    )
    desk.specs(job(foreign, since_s=10_000))
    assert of(desk.pending(row(waiting_s=1.9)), Claim) == []
    assert of(desk.pending(row(waiting_s=2.0)), Claim) != []


def test_work_of_no_owner_is_pulled_and_not_claimed_by_looking() -> None:
    desk = with_job(Desk().up())
    assert of(desk.pending(row(kind=TriggerKind.SUBMIT, owned=False, waiting_s=99)), Claim) == []


def test_items_of_each_node_are_taken_by_their_node_alone() -> None:
    desk = with_job(Desk().up("n1", "n2"))
    assert of(desk.pending(row(pinned="n2", waiting_s=99)), Claim) == []
    assert of(desk.pending(row(pinned="n1")), Claim) != []


def test_nothing_is_closed_as_unrunnable_but_by_this_node_s_own_watching() -> None:
    desk = with_job(Desk().up(), node_selector={"gpu": "yes"})
    assert of(desk.pending(row(waiting_s=10_000)), CloseUnrunnable) == []
    desk.seconds = 59
    assert of(desk.pending(row(waiting_s=10_059)), CloseUnrunnable) == []
    desk.seconds = 61
    (closing,) = of(desk.pending(row(waiting_s=10_061)), CloseUnrunnable)
    assert closing.keys == (key(),)


def test_a_node_that_fits_and_comes_back_ends_the_waiting() -> None:
    desk = with_job(Desk().up(), node_selector={"gpu": "yes"})
    desk.pending(row())
    desk.view("n1", "n2", epoch=2, labels={"n2": {"gpu": "yes"}})
    desk.seconds = 50
    desk.pending(row())
    desk.view("n1", epoch=3)
    desk.seconds = 100
    assert of(desk.pending(row()), CloseUnrunnable) == []


def test_nothing_is_closed_that_a_living_node_could_run_which_is_no_member_as_its_clock_is_wrong() -> None:
    desk = with_job(Desk().up("n1"), node_selector={"gpu": "yes"})
    for beat in range(1, 100, 30):
        desk.seconds += 30
        desk.beat(replace(lease("n2", beat), labels={"gpu": "yes"}))
        assert of(desk.pending(row()), CloseUnrunnable) == []
        assert of(desk.pending(row(pinned="n2")), CloseUnrunnable) == []
    declined = [row(declined_by=("n2",)), row(pinned="n2", declined_by=("n2",))]
    desk.pending(*declined)
    desk.seconds += 61
    (closing,) = of(desk.pending(*declined), CloseUnrunnable)
    assert len(closing.keys) == 2


def test_nothing_is_closed_while_no_member_is_known() -> None:
    desk = Desk()
    desk.join()
    desk.beat()
    with_job(desk)
    desk.pending(row())
    desk.seconds = 1_000
    assert of(desk.pending(row()), CloseUnrunnable) == []


def test_what_every_fit_node_declined_is_closed_too() -> None:
    desk = with_job(Desk().up("n1", "n2"))
    desk.pending(row(declined_by=("n1", "n2")))
    desk.seconds = 61
    assert of(desk.pending(row(declined_by=("n1", "n2"))), CloseUnrunnable) != []


def test_a_hint_during_a_reading_makes_another_reading() -> None:
    desk = Desk().up()
    with_job(desk)
    assert of(desk.tell(Hinted(work=True)), ReadPending) != []
    assert of(desk.tell(Hinted(work=True)), ReadPending) == []
    assert of(desk.pending(), ReadPending) != []


def test_a_backlog_is_claimed_as_room_comes_without_waiting_for_the_next_look() -> None:
    desk = with_job(Desk(capacity=1, ahead_s=0.0).up())
    (claim,) = of(desk.pending(*(row(run_id=n) for n in range(1, 6)), full=True), Claim)
    asked = list(claim.keys)
    looked = False
    while asked:
        one = claimed(run_id=asked.pop(0).run_id)
        desk.claims(one)
        actions = desk.over(one)
        asked += [found for more in of(actions, Claim) for found in more.keys]
        looked = looked or bool(of(actions, ReadPending))
    assert looked, "after the last of a full reading there is another look"


def test_a_version_that_cannot_be_read_here_is_not_asked_for_without_end() -> None:
    desk = Desk().up()
    assert of(desk.pending(row(job_version=77)), ReadPinned) != []
    actions = desk.tell(PinnedRead((), (), {77: "from a newer version"}))
    assert of(actions, ReadPending) == []
    assert of(desk.pending(row(job_version=77)), ReadPinned) == []
    desk.seconds = 10
    assert of(desk.pending(row(job_version=77)), ReadPinned) != []


def test_a_skewed_node_takes_nothing() -> None:
    desk = with_job(Desk().up())
    desk.beat(skew_s=10)
    assert of(desk.pending(row()), Claim) == []
    desk.beat()
    assert of(desk.pending(row()), Claim) != []


@pytest.mark.parametrize(("spec", "looks"), [({"max_running": 1}, True), ({}, False)])
def test_when_an_attempt_of_a_job_with_limits_was_recorded_what_waited_for_it_is_looked_for(
    spec: dict[str, Any], looks: bool
) -> None:
    desk = with_job(Desk().up(), **spec)
    one = claimed()
    desk.claims(one)
    desk.over(one)
    outcome = Outcome(one.key, one.claim_no, AttemptStatus.COMPLETED)
    answer = OutcomeAnswer(one.key, Recording.RECORDED)
    actions = desk.tell(OutcomesAnswered(desk.incarnation, (outcome,), (answer,)))
    assert bool(of(actions, ReadPending)) is looks


def test_of_a_job_with_a_rate_the_next_start_is_looked_for_when_it_is_allowed() -> None:
    desk = with_job(Desk().up(), rate_limit=4)
    one = claimed()
    desk.claims(one)
    desk.over(one)
    outcome = Outcome(one.key, one.claim_no, AttemptStatus.COMPLETED)
    answer = OutcomeAnswer(one.key, Recording.RECORDED)
    (wake,) = of(desk.tell(OutcomesAnswered(desk.incarnation, (outcome,), (answer,))), Wake)
    assert wake.at_mono == desk.seconds + 0.25
    desk.pending()
    assert of(desk.tell(wake.event), ReadPending) != []


@pytest.mark.parametrize(
    ("overlap", "kind", "looks"),
    [
        ("queue", "schedule", 1),
        ("replace", "schedule", 1),
        ("skip", "schedule", 0),
        ("skip", "misfire", 1),
        ("skip", "backfill", 1),
        ("allow", "misfire", 0),
    ],
)
def test_a_run_that_waited_for_the_one_that_closed_here_is_looked_for_at_once(
    overlap: str, kind: str, looks: int
) -> None:
    desk = with_job(Desk().up(), overlap=Overlap(overlap))
    one = claimed(kind=TriggerKind(kind))
    desk.claims(one)
    (record,) = of(desk.over(one), Record)
    answer = OutcomeAnswer(one.key, Recording.RECORDED, run_closed=RunStatus.COMPLETED)
    told = desk.tell(OutcomesAnswered(desk.incarnation, (record.outcome,), (answer,)))
    assert len(of(told, ReadPending)) == looks
