"""Attempts without an owner: pulled by room, one pull at a time, never by a busy node."""

from __future__ import annotations

from typing import Any

import pytest

from shardkeeper.domain.attempts import Claimed, RunHead
from shardkeeper.domain.leases import Held
from shardkeeper.domain.outcomes import Outcome, OutcomeAnswer, Progress, Recording
from shardkeeper.domain.planner.actions import (
    CloseUnrunnable,
    Launch,
    Pull,
    ReadPinned,
    Record,
    TakeBack,
    Wake,
)
from shardkeeper.domain.planner.events import (
    AttemptBegan,
    AttemptOver,
    CapacityChanged,
    DrainAsked,
    GraceOver,
    Hinted,
    Moment,
    OutcomesAnswered,
    PendingDue,
    PinnedRead,
    PullDue,
    Pulled,
)
from shardkeeper.domain.runs import AttemptStatus, TriggerKind
from shardkeeper.domain.specs import Strategy
from tests.domain.planner.desk import T0, Desk, claimed, job, key, of, row


def on_demand(desk: Desk, **spec: Any) -> Desk:
    """A job on demand, on a node where some attempt of a tenth of a second has ended."""
    desk.specs(job(every=None, **spec))
    desk.planner.mind.holdings.lasted(0.1)
    return desk


def submitted(number: int, job_version: int = 10) -> Claimed:
    head = RunHead("job", TriggerKind.SUBMIT, job_version, 1, 1, {})
    return Claimed(key(run_id=number), 1, head, None, 0, 0)


def hint(desk: Desk) -> list[Pull]:
    return of(desk.tell(Hinted(work=True)), Pull)


def pulled(desk: Desk, most: int, *claimed: Claimed) -> list[Any]:
    return desk.tell(Pulled(desk.incarnation, most, claimed))


def over(desk: Desk, claimed: Claimed) -> list[Any]:
    return desk.ended(AttemptOver(Outcome(claimed.key, claimed.claim_no, AttemptStatus.COMPLETED)))


def recorded(desk: Desk, *actions: Any) -> list[Any]:
    outcomes = tuple(record.outcome for record in of(actions, Record))
    answers = tuple(OutcomeAnswer(outcome.key, Recording.RECORDED) for outcome in outcomes)
    return desk.tell(OutcomesAnswered(desk.incarnation, outcomes, answers))


def test_a_hint_is_a_pull_of_what_there_is_room_for_and_a_look_a_moment_later() -> None:
    desk = on_demand(Desk(capacity=4).up())
    actions = desk.tell(Hinted(work=True))
    assert of(actions, Pull) == [Pull(desk.incarnation, 8)]
    later = [wake.at_mono for wake in of(actions, Wake) if wake.event == PullDue()]
    assert later == [0.025, 0.1]


def test_hints_are_gathered() -> None:
    desk = on_demand(Desk().up())
    desk.tell(Hinted(work=True))
    assert not of(desk.tell(Hinted(work=True)), Wake)
    pulled(desk, 8)
    desk.tell(PullDue())
    pulled(desk, 8)
    desk.tell(PullDue())
    pulled(desk, 8)
    assert len(of(desk.tell(Hinted(work=True)), Wake)) == 2


def test_a_hint_shortly_before_the_last_look_is_followed_by_one_too() -> None:
    desk = on_demand(Desk().up())
    hint(desk)
    desk.seconds = 0.07
    assert not of(desk.tell(Hinted(work=True)), Wake), "the look at 0.1 comes after what this one told of"
    desk.seconds = 0.09
    later = [wake.at_mono for wake in of(desk.tell(Hinted(work=True)), Wake)]
    assert later == pytest.approx([0.115, 0.19])


def test_one_pull_is_under_way_and_a_hint_meanwhile_is_not_lost() -> None:
    desk = on_demand(Desk().up())
    assert len(hint(desk)) == 1
    assert hint(desk) == []
    assert len(of(pulled(desk, 8), Pull)) == 1


def test_what_is_pulled_is_launched_and_more_is_pulled_when_room_comes_free() -> None:
    desk = on_demand(Desk(capacity=1, ahead_s=0.0).up())
    assert hint(desk) == [Pull(desk.incarnation, 1)]
    actions = pulled(desk, 1, submitted(1))
    assert [launch.claimed for launch in of(actions, Launch)] == [submitted(1)]
    assert not of(actions, Pull)
    assert of(over(desk, submitted(1)), Pull) == [Pull(desk.incarnation, 1)]


def test_after_a_pull_that_brought_less_nothing_is_pulled_before_the_next_hint_or_look() -> None:
    desk = on_demand(Desk(capacity=2, ahead_s=0.0).up())
    hint(desk)
    pulled(desk, 2, submitted(1))
    assert not of(over(desk, submitted(1)), Pull)
    assert of(desk.tell(PendingDue()), Pull)


def test_a_busy_node_pulls_nothing_until_it_has_room() -> None:
    desk = on_demand(Desk(capacity=4, ahead_s=0.0, busy_at=75).up())
    hint(desk)
    pulled(desk, 4, *map(submitted, range(1, 5)))
    over(desk, submitted(1))
    assert hint(desk) == []
    assert of(over(desk, submitted(2)), Pull) == [Pull(desk.incarnation, 2)]


def test_nothing_is_pulled_to_lie_before_tasks_that_take_long() -> None:
    desk = on_demand(Desk(capacity=2).up())
    desk.planner.mind.holdings.lasted(3600)
    assert hint(desk) == [Pull(desk.incarnation, 2)]


def test_an_unfit_node_and_one_whose_store_is_away_pull_nothing() -> None:
    desk = on_demand(Desk().up())
    desk.tell(CapacityChanged(4, fit=False))
    assert hint(desk) == []
    desk.tell(CapacityChanged(4, fit=True))
    pulled(desk, 8)
    desk.planner.mind.store_here = False
    assert hint(desk) == []


def test_a_pull_that_was_not_answered_is_made_again_at_the_next_look() -> None:
    desk = on_demand(Desk().up())
    hint(desk)
    desk.tell(Pulled(desk.incarnation, 8, None))
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 8)]


def test_jobs_for_other_nodes_are_left_out_and_come_back_when_they_are_mended() -> None:
    desk = on_demand(Desk().up(), node_selector={"gpu": "yes"})
    assert hint(desk) == [Pull(desk.incarnation, 8, ("job",))]
    pulled(desk, 8)
    desk.specs(job(number=11, every=None))
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 8)]


def test_a_job_that_cannot_run_here_goes_back_and_is_not_pulled_again() -> None:
    desk = on_demand(Desk().up())
    hint(desk)
    pulled(desk, 8, submitted(1))
    recorded(
        desk, *desk.ended(AttemptOver(Outcome(key(), 1, AttemptStatus.FAILED), declined="no such module"))
    )
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 8, ("job",))]


def test_what_is_pulled_under_versions_that_cannot_run_here_goes_back_for_others() -> None:
    desk = on_demand(Desk().up())
    hint(desk)
    pulled(desk, 8, submitted(1))
    desk.ended(AttemptOver(Outcome(key(), 1, AttemptStatus.FAILED), declined="no such module"))
    desk.specs(job(number=11, every=None))
    desk.tell(PendingDue())
    actions = pulled(desk, 8, submitted(2, job_version=10), submitted(3, job_version=11))
    (back,) = of(actions, Record)
    assert (back.outcome.key, back.outcome.status) == (key(run_id=2), AttemptStatus.PENDING)
    assert back.outcome.delay_s > 0
    assert [launch.claimed.key.run_id for launch in of(actions, Launch)] == [3]


def test_a_job_whose_version_cannot_be_read_here_is_pulled_no_more_until_it_is_read_anew() -> None:
    desk = Desk(capacity=4).up()
    assert hint(desk) == [Pull(desk.incarnation, 4)]
    pulled(desk, 4, submitted(1, job_version=12))
    desk.tell(PinnedRead((), (), {12: "a newer node's spec"}))
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 3)]
    pulled(desk, 3, submitted(2, job_version=12))
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 2, ("job",))]
    pulled(desk, 2)
    desk.specs(job(number=13, every=None))
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 2)]


def test_what_pins_labels_that_this_node_has_not_is_given_back_once_its_version_is_read() -> None:
    desk = on_demand(Desk().up())
    hint(desk)
    (asked,) = of(pulled(desk, 8, submitted(1, job_version=9)), ReadPinned)
    assert asked.job_versions == (9,)
    old = job(number=9, every=None, node_selector={"zone": "north"})
    actions = desk.tell(PinnedRead((old,), (), {}))
    assert not of(actions, Launch)
    (back,) = of(actions, Record)
    assert (back.outcome.key, back.outcome.status) == (key(run_id=1), AttemptStatus.PENDING)
    assert back.outcome.delay_s > 0


def test_an_item_that_is_pinned_to_this_node_is_run_whatever_labels_its_version_asks_for() -> None:
    desk = on_demand(Desk().up())
    hint(desk)
    pulled(desk, 8, submitted(1, job_version=9))
    old = job(number=9, every=None, node_selector={"zone": "north"}, sharding_strategy=Strategy.EACH_NODE)
    (launch,) = of(desk.tell(PinnedRead((old,), (), {})), Launch)
    assert launch.claimed.key == key(run_id=1)


def parked(desk: Desk) -> Claimed:
    """Pulled, and not with the workers yet: its version is being read."""
    hint(desk)
    one = submitted(1, job_version=9)
    (asked,) = of(pulled(desk, 8, one), ReadPinned)
    assert asked.job_versions == (9,)
    return one


def test_what_is_stopped_while_its_version_is_being_read_does_not_begin() -> None:
    desk = on_demand(Desk().up())
    one = parked(desk)
    desk.beat(held=(Held(one.key, 1, "job", stop_requested=True),))
    actions = desk.tell(PinnedRead((job(number=9, every=None),), (), {}))
    assert not of(actions, Launch)
    (record,) = of(actions, Record)
    assert (record.outcome.key, record.outcome.status) == (one.key, AttemptStatus.STOPPED)


def test_what_is_being_read_when_the_grace_period_ends_goes_back_and_does_not_begin() -> None:
    desk = on_demand(Desk().up())
    one = parked(desk)
    desk.tell(DrainAsked(leave=True, grace_s=30.0))
    desk.tell(GraceOver())
    actions = desk.tell(PinnedRead((job(number=9, every=None),), (), {}))
    assert not of(actions, Launch)
    (record,) = of(actions, Record)
    assert (record.outcome.key, record.outcome.status) == (one.key, AttemptStatus.PENDING)


def test_what_a_node_refuses_takes_up_its_room_until_that_is_recorded() -> None:
    desk = on_demand(Desk(capacity=2, ahead_s=0.0).up())
    hint(desk)
    pulled(desk, 2, submitted(1))
    declined = desk.ended(AttemptOver(Outcome(key(), 1, AttemptStatus.FAILED), declined="no such module"))
    desk.specs(job(number=11, every=None))
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 1)], (
        "by the store's word it holds one"
    )
    pulled(desk, 1)
    recorded(desk, *declined)
    assert of(desk.tell(PendingDue()), Pull) == [Pull(desk.incarnation, 2)]
    refused = pulled(desk, 2, submitted(2), submitted(3))
    assert [record.outcome.key.run_id for record in of(refused, Record)] == [2, 3]
    assert not of([*refused, *desk.tell(PendingDue())], Pull), "by the store's word it holds two"
    assert of(recorded(desk, *refused), Pull) == [Pull(desk.incarnation, 2)]


def test_what_the_workers_hand_back_unbegun_takes_up_its_room_until_that_is_recorded() -> None:
    desk = on_demand(Desk(capacity=2, ahead_s=0.0).up())
    hint(desk)
    pulled(desk, 2, submitted(1), submitted(2))
    returned = desk.ended(AttemptOver(Outcome(key(run_id=1), 1, AttemptStatus.PENDING)))
    assert not of([*returned, *desk.tell(PendingDue())], Pull)
    assert of(recorded(desk, *returned), Pull) == [Pull(desk.incarnation, 1)]


def test_what_asked_to_run_later_leaves_its_room_at_once_as_all_that_has_run() -> None:
    desk = on_demand(Desk(capacity=2, ahead_s=0.0).up())
    hint(desk)
    pulled(desk, 2, submitted(1), submitted(2))
    later = desk.ended(
        AttemptOver(Outcome(key(run_id=1), 1, AttemptStatus.PENDING, started_at=T0, delay_s=60))
    )
    assert of(later, Pull) == [Pull(desk.incarnation, 1)]


def test_room_that_several_leave_at_once_is_one_reason_to_pull() -> None:
    desk = on_demand(Desk(capacity=2).up())
    hint(desk)
    pulled(desk, 4, *map(submitted, (1, 2, 3, 4)))
    ended = [AttemptOver(Outcome(key(run_id=number), 1, AttemptStatus.COMPLETED)) for number in (1, 2, 3, 4)]
    actions = desk.ended(*ended)
    assert [record.outcome.key.run_id for record in of(actions, Record)] == [1, 2, 3, 4]
    assert of(actions, Pull) == [Pull(desk.incarnation, 4)]


def test_an_end_that_may_have_freed_a_shared_limit_is_a_reason_to_look() -> None:
    desk = on_demand(Desk().up(), max_running=1)
    hint(desk)
    pulled(desk, 8, submitted(1))
    over(desk, submitted(1))
    outcome = Outcome(key(), 1, AttemptStatus.COMPLETED)
    answer = OutcomeAnswer(key(), Recording.RECORDED)
    assert of(desk.tell(OutcomesAnswered(desk.incarnation, (outcome,), (answer,))), Pull)


def test_the_head_of_a_queue_that_nobody_can_run_is_watched_by_its_versions() -> None:
    desk = on_demand(Desk(unrunnable_after_s=60).up(), node_selector={"gpu": "yes"})
    desk.pending(row(run_id=1, owned=False))
    desk.seconds = 61
    (closing,) = of(desk.pending(row(run_id=2, owned=False), row(run_id=3, owned=False)), CloseUnrunnable)
    assert closing.keys == (key(run_id=2), key(run_id=3))


def test_what_lies_and_can_run_here_is_pulled_whatever_its_job_asks_for_by_now() -> None:
    desk = on_demand(Desk().up())
    desk.specs(
        job(every=None, until_s=0), job(number=11, every=None, since_s=0, node_selector={"zone": "north"})
    )
    assert [pull.not_jobs for pull in hint(desk)] == [("job",)]
    pulled(desk, 8)
    (pull,) = of(desk.pending(row(owned=False)), Pull)
    assert pull.not_jobs == ()
    pulled(desk, 8)
    desk.pending()
    assert [pull.not_jobs for pull in hint(desk)] == [("job",)]


def test_what_others_have_the_labels_for_and_not_the_code_is_closed_by_who_pulls_it_in_vain() -> None:
    desk = on_demand(Desk(unrunnable_after_s=60).up("n1", "n2"), node_selector={"gpu": "yes"})
    desk.view("n1", "n2", epoch=2, labels={"n2": {"gpu": "yes"}})
    version = desk.planner.mind.catalog.job_version(10)
    assert version is not None
    (asked,) = of(pulled(desk, 8, submitted(1)), ReadPinned)
    assert asked == ReadPinned((10,), (1,))
    desk.tell(PinnedRead((version,), (), {}, {"job": frozenset({(10, 1, "n2"), (9, 1, "n1")})}))
    (back,) = of(pulled(desk, 8, submitted(2)), Record)
    desk.seconds = 61
    (closed,) = of(pulled(desk, 8, submitted(3)), Record)
    assert (back.outcome.status, closed.outcome.status) == (AttemptStatus.PENDING, AttemptStatus.FAILED)


def test_a_dead_incarnations_pull_counts_no_more() -> None:
    desk = on_demand(Desk().up())
    before = desk.incarnation
    hint(desk)
    desk.beat(alive=False)
    desk.join()
    desk.beat()
    assert desk.planner.handle(Pulled(before, 8, (submitted(1),)), Moment(desk.now, desk.seconds)) == []
    assert hint(desk) == [Pull(desk.incarnation, 8)]


def test_what_lies_unbegun_behind_long_tasks_goes_back_to_the_queue() -> None:
    desk = on_demand(Desk(capacity=1).up())
    hint(desk)
    pulled(desk, 2, submitted(1), submitted(2))
    desk.tell(AttemptBegan(Progress(key(run_id=1), 1, started_at=desk.now)))
    desk.seconds = 2.0
    assert not of(desk.tell(PendingDue()), TakeBack)
    desk.seconds = 4.0
    actions = desk.tell(PendingDue())
    assert of(actions, TakeBack) == [TakeBack(key(run_id=2), 1)]
    assert not of(actions, Pull)
    back = desk.ended(AttemptOver(Outcome(key(run_id=2), 1, AttemptStatus.PENDING)))
    assert [record.outcome.status for record in of(back, Record)] == [AttemptStatus.PENDING]
    assert not of([*back, *desk.tell(PendingDue())], Pull)


def test_what_has_an_owner_stays_with_it() -> None:
    desk = Desk(capacity=1).up()
    desk.specs(job())
    desk.claims(claimed(run_id=1), claimed(run_id=2))
    desk.seconds = 100.0
    assert not of(desk.tell(PendingDue()), TakeBack)


def test_nothing_is_pulled_ahead_while_nobody_knows_how_long_tasks_take() -> None:
    desk = Desk(capacity=2).up()
    desk.specs(job(every=None))
    assert hint(desk) == [Pull(desk.incarnation, 2)]


def test_when_a_quarter_of_what_is_held_ahead_has_ended_more_is_pulled() -> None:
    desk = on_demand(Desk(capacity=2, most_ahead=41).up())
    for _ in range(50):
        desk.planner.mind.holdings.lasted(0.001)
    assert hint(desk) == [Pull(desk.incarnation, 42)]
    held = [submitted(number) for number in range(1, 43)]
    pulled(desk, 42, *held)
    for one in held[:9]:
        assert of(over(desk, one), Pull) == []
    assert of(over(desk, held[9]), Pull) == [Pull(desk.incarnation, 10)]


def test_how_long_tasks_take_is_known_after_a_few() -> None:
    holdings = on_demand(Desk(capacity=2).up()).planner.mind.holdings
    for _ in range(20):
        holdings.lasted(0.001)
    # for two workers, as much as ends in a tenth of a second: after the tenth of one that was guessed it would be 5
    assert holdings.ahead > 10
    for _ in range(20):
        holdings.lasted(1.0)
    assert holdings.ahead == 1


def test_one_long_attempt_among_many_short_ones_does_not_end_claiming_ahead() -> None:
    holdings = on_demand(Desk(capacity=4).up()).planner.mind.holdings
    least = []
    for _ in range(20):
        for _ in range(50):
            holdings.lasted(0.002)
        holdings.lasted(1.0)
        least.append(holdings.ahead)
    # of four workers: on the average 51 end in 1.1 s of each
    assert min(least) >= 4


def test_one_attempt_of_an_hour_counts_no_more_than_one_of_seconds() -> None:
    holdings = on_demand(Desk(capacity=4).up()).planner.mind.holdings
    for _ in range(50):
        holdings.lasted(0.002)
    holdings.lasted(3600)
    for _ in range(10):
        holdings.lasted(0.002)
    assert holdings.ahead > 4


def test_what_is_refused_is_pulled_no_more_before_the_next_look() -> None:
    desk = on_demand(Desk(capacity=2).up())
    desk.specs(job(every=None, node_selector={"gpu": "yes"}))
    hint(desk)
    told = pulled(desk, 2, submitted(1), submitted(2))
    refused = tuple(record.outcome for record in of(told, Record))
    assert len(refused) == 2
    answers = tuple(OutcomeAnswer(one.key, Recording.RECORDED) for one in refused)
    assert of(desk.tell(OutcomesAnswered(desk.incarnation, refused, answers)), Pull) == []
    assert of(desk.tell(PendingDue()), Pull) != []
