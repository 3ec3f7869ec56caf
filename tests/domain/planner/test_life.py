"""An incarnation joins, beats, drains, leaves, or is found dead; what was said to an earlier one counts no more."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.facts import WorkersBack, WorkersLost
from shardkeeper.domain.leases import Held, LeaseState
from shardkeeper.domain.notices import notice_of
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.planner.actions import (
    Action,
    Alert,
    ArmTimer,
    Beat,
    Claim,
    Create,
    End,
    Enter,
    Halt,
    HaltAll,
    Join,
    Launch,
    Leave,
    MirrorView,
    RebuildTimers,
    Record,
    Replay,
    SayDraining,
    SaySkewed,
    TakeOver,
    Tell,
    Wake,
)
from shardkeeper.domain.planner.events import (
    AttemptOver,
    CapacityChanged,
    ClaimsAnswered,
    ClockStepped,
    DrainAnswered,
    DrainAsked,
    GraceOver,
    HandedOver,
    LastWord,
    LeaseEnds,
    Left,
    RunsUnanswered,
    Started,
    ViewSeen,
)
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.specs import OnLeaseLoss
from shardkeeper.domain.view import View
from tests.domain.planner.desk import Desk, claimed, job, key, lease, of, view


def busy(capacity: int = 4, **spec: Any) -> Desk:
    """A node that runs one attempt."""
    desk = Desk(capacity).up()
    desk.specs(job(since_s=10_000, **spec))
    assert of(desk.claims(claimed()), Launch) != []
    return desk


def drain(desk: Desk, leave: bool = True) -> list[Action]:
    return desk.tell(DrainAsked(leave=leave, grace_s=30.0))


def hand_over(desk: Desk) -> list[Action]:
    (wake,) = [
        w
        for w in of(desk.tell(DrainAnswered(desk.incarnation, draining=True)), Wake)
        if isinstance(w.event, HandedOver)
    ]
    desk.seconds = wake.at_mono
    return desk.tell(wake.event)


# joining


def test_a_node_asks_for_a_lease_when_it_has_read_all_specs_and_not_before() -> None:
    desk = Desk()
    started = desk.tell(Started())
    assert (of(started, Join), of(started, Replay)) == ([], [Replay()])
    assert of(desk.specs(job("early")), Join) == []
    assert of(desk.specs(job(), whole=True), Join) == [Join("life-1")]
    assert of(desk.specs(job(), whole=True), Join) == []


def test_a_node_enters_once_it_holds_a_lease() -> None:
    assert of(Desk().join(), Enter) == [Enter("life-1")]


def test_a_living_predecessor_is_watched_for_a_whole_lease_and_then_taken_over() -> None:
    desk = Desk()
    taken: list[TakeOver] = []
    for beat in range(6):
        desk.seconds = float(beat)
        taken = of(desk.join(joined=False, predecessor=lease("n1", 7)), TakeOver)
        assert (taken != []) == (beat >= 4)
    assert taken == [TakeOver("life-1", "of-n1", 7)]


def test_a_join_that_was_committed_unheard_and_taken_over_begins_anew() -> None:
    assert of(Desk().join(joined=False, predecessor=None), Join) == [Join("life-2")]


# leases of others


def test_a_lease_unchanged_for_its_whole_length_is_taken_over() -> None:
    desk = Desk().up("n1", "n2")
    for second in range(1, 6):
        desk.seconds = float(second)
        taken = of(desk.beat(lease("n2", 3)), TakeOver)
        assert (taken == [TakeOver(desk.incarnation, "of-n2", 3)]) == (second == 5)


def test_a_beat_in_between_restarts_the_watch() -> None:
    desk = Desk().up("n1", "n2")
    for second in range(1, 9):
        desk.seconds = float(second)
        assert of(desk.beat(lease("n2", 3 if second < 4 else 4)), TakeOver) == [] or second == 8


def test_a_gap_in_this_node_s_own_reading_restarts_the_watch() -> None:
    desk = Desk().up("n1", "n2")
    desk.seconds = 1
    desk.beat(lease("n2", 3))
    desk.seconds = 20
    assert of(desk.beat(lease("n2", 3)), TakeOver) == []


# found dead


def test_a_node_found_dead_kills_what_it_runs_and_begins_anew() -> None:
    desk = busy()
    actions = desk.beat(alive=False)
    assert of(actions, HaltAll) == [HaltAll(((key(), 1),))]
    assert of(actions, Join) == [Join("life-2")]
    assert of(desk.over(claimed()), Record) == []


def test_a_node_found_dead_kills_neither_what_has_ended_nor_what_no_worker_has() -> None:
    desk = busy()
    desk.claims(claimed(run_id=2), claimed(run_id=3, job_version=77))
    desk.over(claimed(run_id=2))
    (halt,) = of(desk.beat(alive=False), HaltAll)
    assert halt == HaltAll(((key(), 1),))


def test_answers_to_an_earlier_incarnation_change_nothing() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0.5))
    lost = of(desk.fire(1), Create)
    old = desk.incarnation
    desk.beat(alive=False)
    room = desk.planner.mind.holdings.room
    requests = tuple(create.request for create in lost)
    assert desk.tell(RunsUnanswered(old, requests)) == []
    assert desk.planner.mind.holdings.room == room
    assert desk.tell(ClaimsAnswered(old, (key(),), (claimed(),))) == []


# reconciling


def test_what_the_store_has_running_here_and_this_node_knows_nothing_of_is_picked_up() -> None:
    desk = busy()
    landed = Held(key(run_id=9), 1, "job", stop_requested=False)
    mine = Held(key(), 1, "job", stop_requested=False)
    assert of(desk.beat(held=(mine, landed)), Claim) == []
    assert of(desk.beat(held=(mine, landed)), Claim) == [Claim(desk.incarnation, (landed.key,))]


def test_what_was_taken_away_is_killed_at_once() -> None:
    desk = busy()
    assert of(desk.beat(held=()), Halt) == []
    assert of(desk.beat(held=()), Halt) == [Halt(key(), 1, 0.0)]
    assert of(desk.over(claimed()), Record) == []


def test_an_ordered_stop_reaches_what_runs() -> None:
    desk = busy()
    (halt,) = of(desk.beat(held=(Held(key(), 1, "job", stop_requested=True),)), Halt)
    assert halt.kill_after_s > 0


# outcomes


def test_a_retry_is_given_though_the_catalog_has_forgotten_the_version() -> None:
    desk = busy(max_attempts=3, retry_delay=timedelta(seconds=10))
    desk.planner.mind.catalog.PINNED_KEPT = 0
    desk.specs(job(number=11, since_s=20_000))
    desk.planner.mind.catalog.pin((job(number=99),), ())
    (record,) = of(desk.over(claimed(), AttemptStatus.FAILED), Record)
    assert record.outcome.retry_after_s is not None


def test_what_was_returned_unbegun_goes_back_and_uses_up_nothing() -> None:
    desk = busy(max_attempts=3)
    (record,) = of(desk.ended(AttemptOver(Outcome(key(), 1, AttemptStatus.PENDING))), Record)
    assert (record.outcome.status, record.outcome.retry_after_s) == (AttemptStatus.PENDING, None)


# the end of the own lease


@pytest.mark.parametrize(("on_loss", "killed"), [(OnLeaseLoss.STOP, True), (OnLeaseLoss.CONTINUE, False)])
def test_at_the_end_of_the_lease_only_what_must_not_overlap_is_killed(
    on_loss: OnLeaseLoss, killed: bool
) -> None:
    desk = busy(on_lease_loss=on_loss)
    desk.seconds = 3.9
    assert of(desk.tell(LeaseEnds()), Halt) == []
    desk.seconds = 4.0
    halts = of(desk.tell(LeaseEnds()), Halt)
    assert halts == ([Halt(key(), 1, 0.0)] if killed else [])


# views


def test_a_mirrored_view_is_used_where_none_or_an_older_one_of_its_lineage_is_known() -> None:
    desk = Desk()
    desk.join()

    def by() -> View | None:
        return desk.planner.mind.membership.view

    desk.beat(mirrored=view("n1", "n2", epoch=4))
    assert by() == view("n1", "n2", epoch=4)
    desk.view("n1", epoch=5)
    desk.beat(mirrored=view("n1", "n2", epoch=4))
    assert by() == view("n1", epoch=5)
    desk.beat(mirrored=view("n1", "n3", epoch=6))
    assert by() == view("n1", "n3", epoch=6)
    desk.beat(mirrored=view("n1", epoch=99, lineage="lost"))
    assert by() == view("n1", "n3", epoch=6)


def test_the_leader_mirrors_its_view_for_nodes_that_restart_without_zookeeper() -> None:
    desk = Desk().up()
    own = View("line", 2, desk.incarnation, view("n1").members, view().published_at)
    from_others = desk.view("n1", "n2", epoch=3)
    assert of(from_others, MirrorView) == []
    desk.planner.mind.membership.see_view(view("n1", lineage="new"))
    assert of(desk.tell(ViewSeen(own)), MirrorView) == [MirrorView(own)]


def test_members_that_the_lease_table_knows_as_dead_or_draining_own_nothing() -> None:
    desk = Desk().up("n1", "n2", "n3")
    desk.beat(lease("n2", 1, LeaseState.DEAD), lease("n3", 1, LeaseState.DRAINING))
    assert desk.planner.mind.membership.roster.node_ids == ("n1",)


@pytest.mark.parametrize("nodes", [("n2",), ("n1", "n2", "n3"), ("n2", "n3", "n4", "n5")])
def test_what_runs_goes_on_whoever_owns_it_after_a_change_of_the_view(nodes: tuple[str, ...]) -> None:
    desk = busy()
    held = (Held(key(), 1, "job", stop_requested=False),)
    moved = [*desk.view(*nodes, epoch=2), *desk.beat(held=held), *desk.beat(held=held)]
    assert (of(moved, Halt), of(moved, HaltAll), of(moved, Record)) == ([], [], [])
    (record,) = of(desk.over(claimed()), Record)
    assert (record.outcome.claim_no, record.outcome.status) == (1, AttemptStatus.COMPLETED)


# the clock


def test_a_wrong_clock_takes_the_node_out_and_each_time_is_told() -> None:
    desk = Desk().up()
    first = desk.beat(skew_s=5)
    assert of(first, SaySkewed) == [SaySkewed(True)]
    assert of(desk.beat(), SaySkewed) == [SaySkewed(False)]
    again = desk.beat(skew_s=-5)
    keys = {alert.event_key for alert in (*of(first, Alert), *of(again, Alert))}
    assert len(keys) == 2


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
def test_after_a_step_of_the_clock_timers_are_made_anew_and_nothing_fires_until_it_is_right(
    by_s: float,
) -> None:
    desk = Desk(capacity=1_000).up()
    desk.specs(job(since_s=-10_000))

    def step(seconds: float) -> None:
        desk.wall_ahead_s += seconds
        actions = desk.tell(ClockStepped(seconds))
        assert (of(actions, RebuildTimers), of(actions, Beat)) == (
            [RebuildTimers()],
            [Beat(desk.incarnation)],
        )
        (timer,) = of(actions, ArmTimer)
        assert timedelta(0) < timer.at - desk.now <= timedelta(seconds=1)

    step(by_s)
    assert of(desk.beat(skew_s=by_s), SaySkewed) == [SaySkewed(True)]
    assert of(desk.fire(desk.seconds + 1), Create) == []
    step(-by_s)
    back = of(desk.beat(), Create)
    assert desk.now in [create.request.fire_time for create in back], (
        "what was due meanwhile is looked back at"
    )
    (create,) = of(desk.fire(desk.seconds + 1), Create)
    assert create.request.fire_time == desk.now


# drains


def test_a_draining_node_creates_until_the_others_have_read_of_it_and_then_nothing() -> None:
    desk = Desk().up("n1", "n2")
    desk.specs(*(job(f"job-{n}", since_s=0.5) for n in range(20)))
    assert of(drain(desk), SayDraining) == [SayDraining(desk.incarnation, True)]
    desk.beat(lease("n2", 1))
    assert of(desk.fire(1), Create) != []
    hand_over(desk)
    assert of(desk.fire(desk.seconds + 1), Create) == []


def test_a_node_with_nothing_to_do_leaves_as_soon_as_it_has_handed_over() -> None:
    desk = Desk().up()
    drain(desk)
    assert of(hand_over(desk), Leave) == [Leave(desk.incarnation)]
    assert of(desk.tell(Left(desk.incarnation, gone=True)), End) == [End()]


def test_a_node_leaves_when_what_it_runs_has_ended() -> None:
    desk = busy()
    drain(desk)
    assert of(hand_over(desk), Leave) == []
    (record,) = of(desk.over(claimed()), Record)
    assert record.outcome.status is AttemptStatus.COMPLETED


def test_at_the_end_of_the_grace_period_what_runs_is_given_back_in_time() -> None:
    desk = busy()
    drain(desk)
    hand_over(desk)
    actions = desk.tell(GraceOver())
    (halt,) = of(actions, Halt)
    (last,) = [w for w in of(actions, Wake) if isinstance(w.event, LastWord)]
    assert last.at_mono - desk.seconds > halt.kill_after_s + 1, "there is time to record what was killed"
    (record,) = of(desk.over(claimed(), AttemptStatus.STOPPED), Record)
    assert record.outcome.status is AttemptStatus.PENDING


def test_a_second_sigterm_gives_back_at_once_and_the_first_one_s_timer_ends_nothing_early() -> None:
    desk = busy()
    drain(desk)
    assert of(desk.tell(GraceOver()), Halt) != []
    assert desk.tell(GraceOver()) == []


def test_what_is_claimed_after_the_grace_period_goes_back_unbegun() -> None:
    desk = busy()
    drain(desk)
    desk.tell(GraceOver())
    actions = desk.claims(claimed(run_id=2))
    assert of(actions, Launch) == []
    assert [record.outcome.status for record in of(actions, Record)] == [AttemptStatus.PENDING]


def test_nothing_is_done_any_more_after_the_end() -> None:
    desk = busy()
    drain(desk)
    desk.tell(GraceOver())
    assert of(desk.tell(LastWord()), End) == [End()]
    assert desk.claims(claimed(run_id=2)) == []


def test_an_order_to_drain_can_be_taken_back() -> None:
    desk = Desk().up()
    assert of(desk.beat(drain=True), SayDraining) == [SayDraining(desk.incarnation, True)]
    hand_over(desk)
    assert of(desk.beat(drain=False), SayDraining) == [SayDraining(desk.incarnation, False)]
    desk.tell(DrainAnswered(desk.incarnation, draining=False))
    desk.specs(job(since_s=desk.seconds + 0.5))
    assert of(desk.fire(desk.seconds + 1), Create) != []


def test_an_order_to_stay_that_is_under_way_does_not_undo_a_sigterm() -> None:
    desk = Desk().up()
    desk.beat(drain=True)
    hand_over(desk)
    desk.beat(drain=False)
    drain(desk)
    again = desk.tell(DrainAnswered(desk.incarnation, draining=False))
    assert of(again, SayDraining) == [SayDraining(desk.incarnation, True)]
    assert of(hand_over(desk), Leave) != []


def test_the_end_of_an_older_drain_ends_no_newer_one() -> None:
    desk = Desk().up()
    desk.beat(drain=True)
    (old,) = [
        w.event
        for w in of(desk.tell(DrainAnswered(desk.incarnation, draining=True)), Wake)
        if isinstance(w.event, HandedOver)
    ]
    desk.beat(drain=False)
    desk.tell(DrainAnswered(desk.incarnation, draining=False))
    desk.beat(drain=True)
    desk.specs(job(since_s=0.5))
    desk.tell(old)
    assert of(desk.fire(1), Create) != []


def test_workers_that_cannot_be_kept_alive_are_told_once_each_time() -> None:
    desk = Desk().up()
    lost = [CapacityChanged(4, False, "no memory"), CapacityChanged(4, False, "still none")]
    actions = [action for event in (*lost, CapacityChanged(4, True), lost[0]) for action in desk.tell(event)]
    alerts = [action for action in actions if isinstance(action, Alert)]
    assert [(alert.kind, alert.body["problem"]) for alert in alerts] == [("unfit", "no memory")] * 2
    assert len({alert.event_key for alert in alerts}) == 2
    assert [action.fact for action in actions if isinstance(action, Tell)] == [
        WorkersLost("no memory"),
        WorkersBack(),
        WorkersLost("no memory"),
    ]
    assert notice_of("unfit", alerts[0].body, "live").title == (
        "[live] n1 takes no work: its workers cannot be kept alive"
    )
