"""Fires become creations: by the owner at once, by others a little later, and again by looking back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.attempts import Creation
from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.planner.actions import (
    Action,
    ArmTimer,
    Claim,
    Create,
    Launch,
    ReadPending,
    ReadSpecs,
    Wake,
)
from shardkeeper.domain.planner.events import (
    BeatUnanswered,
    ClockStepped,
    CreateDue,
    CreateOn,
    FireOn,
    Hinted,
    LookOn,
    PendingRead,
    RunsUnanswered,
    SpecsDue,
    TasksRenewed,
)
from tests.domain.planner.desk import T0, Desk, job, of

LEAD_S = 0.02


def fires(actions: list[Action]) -> list[float]:
    return [(create.request.fire_time - T0).total_seconds() for create in of(actions, Create)]


def owned_elsewhere(desk: Desk, items: int = 1) -> str:
    """A job whose lowest item n2 owns while n1 and n2 share the work."""
    names = (f"job-{n}" for n in range(100))
    creator = desk.planner.mind.membership.creator
    return next(name for name in names if creator(job(name, sharding_total_count=items).spec) == "n2")


def test_the_owner_of_the_lowest_item_creates_at_once_and_starts_what_it_claimed() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    creates = of(desk.fire(1), Create)
    assert [(c.request.create, c.request.claim_items) for c in creates] == [(True, (0,))]
    (launch,) = of(desk.answer(creates), Launch)
    assert launch.job.version == 10


def test_a_fire_is_asked_for_a_little_before_its_time_and_not_again_when_it_has_come() -> None:
    desk = Desk().up()
    (armed,) = of(desk.specs(job(since_s=0.5)), ArmTimer)
    assert armed.at == T0 + timedelta(seconds=1 - LEAD_S)
    due = desk.fire(1 - LEAD_S)
    assert fires(due) == [1]
    assert [timer.at for timer in of(due, ArmTimer)] == [T0 + timedelta(seconds=2 - LEAD_S)]
    assert fires(desk.fire(1)) == []


def test_a_timer_that_goes_off_too_early_is_set_again() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0.5))
    early = desk.fire(0.95)
    assert fires(early) == []
    assert [timer.at for timer in of(early, ArmTimer)] == [T0 + timedelta(seconds=1 - LEAD_S)]


def test_a_job_that_joins_a_schedule_just_before_its_fire_has_that_fire() -> None:
    desk = Desk().up()
    desk.specs(job("first", 10, since_s=0))
    desk.fire(1 - LEAD_S)
    desk.seconds = 0.995
    assert fires(desk.specs(job("second", 11, since_s=0.99))) == [1]
    assert fires(desk.fire(1)) == []


def test_after_a_step_of_the_clock_a_fire_just_ahead_is_asked_for_once() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    desk.wall_ahead_s = 5.99
    stepped = desk.tell(ClockStepped(5.99))
    assert 6 in fires(stepped)
    assert 6 not in fires(desk.fire(0.01))


def test_the_others_claim_a_little_after_the_fire_time_however_early_they_look() -> None:
    desk = Desk().up("n1", "n2")
    name = owned_elsewhere(desk, items=20)
    desk.specs(job(name, since_s=0.5, sharding_total_count=20))
    (wake,) = of(desk.fire(1 - LEAD_S), Wake)
    assert isinstance(wake.event, CreateDue)
    assert wake.at_mono == pytest.approx(1 + 0.008)


def test_what_is_due_and_what_may_begin_come_before_all_else() -> None:
    desk = Desk().up()
    desk.specs(*(job(f"job-{number}", number, since_s=0) for number in (10, 11, 12)))
    due = desk.fire(1)
    assert [type(action) for action in due] == [Create] * 3 + [ArmTimer]
    answered = desk.answer(of(due, Create))
    assert [type(action) for action in answered[:3]] == [Launch] * 3
    assert of(answered[3:], Launch) == []


def waits_for_room(desk: Desk, jobs: int, **spec: Any) -> list[Action]:
    """That many one-item jobs are due at once."""
    desk.specs(*(job(f"job-{number}", number, since_s=0.5, **spec) for number in range(10, 10 + jobs)))
    return desk.fire(1)


def create_on(actions: list[Action]) -> Wake:
    """When it goes on with what there was no room for."""
    (wake,) = [wake for wake in of(actions, Wake) if isinstance(wake.event, CreateOn)]
    return wake


def test_a_run_is_created_when_there_is_room_for_its_item_and_then_with_it() -> None:
    desk = Desk(capacity=2, ahead_s=0.0).up()
    due = waits_for_room(desk, jobs=8)
    first = of(due, Create)
    assert [create.request.claim_items for create in first] == [(0,)] * 3
    launches = of(desk.answer(first), Launch)
    (next_one,) = of(desk.over(launches[0].claimed), Create)
    assert next_one.request.claim_items == (0,)
    assert next_one.request.job_name not in {create.request.job_name for create in first}


def test_without_room_so_many_runs_are_created_in_each_period_with_those_that_had_room() -> None:
    desk = Desk(capacity=2, ahead_s=0.0, create_piece=5).up()
    due = waits_for_room(desk, jobs=12)
    wake = create_on(due)
    assert wake.at_mono == 1 + 0.1
    seen = [len(of(due, Create))]
    while True:
        desk.seconds = wake.at_mono
        actions = desk.tell(wake.event)
        creates = of(actions, Create)
        assert {create.request.claim_items for create in creates} <= {()}
        seen.append(len(creates))
        if not of(actions, Wake):
            break
        wake = create_on(actions)
    assert seen == [3, 5, 4]


def test_a_run_of_which_others_have_items_waits_for_no_room() -> None:
    desk = Desk(capacity=1, ahead_s=0.0).up("n1", "n2")
    others = owned_elsewhere(desk, items=2)
    names = [f"job-{n}" for n in range(100) if f"job-{n}" != others][:20]
    desk.specs(*(job(name, n, since_s=0, sharding_total_count=2) for n, name in enumerate(names, 10)))
    due = desk.fire(1)
    creator = desk.planner.mind.membership.creator
    mine = [name for name in names if creator(job(name, sharding_total_count=2).spec) == "n1"]
    assert {create.request.job_name for create in of(due, Create)} == set(mine)


def test_what_waits_for_room_when_the_node_may_create_no_more_is_found_by_looking_back() -> None:
    desk = Desk(capacity=2, ahead_s=0.0).up()
    due = waits_for_room(desk, jobs=8)
    sent = {create.request.job_name for create in of(due, Create)}
    desk.tell(BeatUnanswered("away"))
    wake = create_on(due)
    desk.seconds = wake.at_mono
    assert desk.tell(wake.event) == []
    back = desk.beat()
    desk.seconds = create_on(back).at_mono
    later = {create.request.job_name for create in of(desk.tell(CreateOn()), Create)}
    assert {create.request.job_name for create in of(back, Create)} | later | sent == {
        f"job-{number}" for number in range(10, 18)
    }


@pytest.mark.parametrize("spec", [{"max_running": 1}, {"misfire_grace": timedelta(seconds=2)}])
def test_what_takes_no_room_or_would_soon_be_missed_waits_for_none(spec: dict[str, Any]) -> None:
    desk = Desk(capacity=2, ahead_s=0.0).up()
    assert len(of(waits_for_room(desk, jobs=8, **spec), Create)) == 8


def test_of_many_that_wait_for_room_a_twentieth_goes_out_in_each_period() -> None:
    desk = Desk(capacity=2, ahead_s=0.0, create_piece=1, fire_piece=1_000).up()
    due = waits_for_room(desk, jobs=203)
    desk.seconds = create_on(due).at_mono
    assert (len(of(due, Create)), len(of(desk.tell(CreateOn()), Create))) == (3, 10)


def test_many_fires_of_one_instant_are_gone_through_in_pieces() -> None:
    desk = Desk(capacity=100, fire_piece=3).up()
    due = waits_for_room(desk, jobs=8)
    found = [len(of(due, Create))]
    while wakes := [wake for wake in of(due, Wake) if isinstance(wake.event, FireOn)]:
        due = desk.tell(wakes[0].event)
        found.append(len(of(due, Create)))
    assert [count for count in found if count] == [3, 3, 2]


def test_what_else_is_due_meanwhile_begins_no_second_going_through() -> None:
    desk = Desk(capacity=100, fire_piece=3).up()
    waits_for_room(desk, jobs=8)
    desk.specs(job("other", 30, since_s=0.5, every=timedelta(seconds=2)))
    again = [one for one in of(desk.fire(2), Wake) if isinstance(one.event, FireOn)]
    assert again == []


def test_an_owner_of_other_items_claims_first_and_creates_only_when_nobody_has() -> None:
    desk = Desk().up("n1", "n2")
    name = owned_elsewhere(desk, items=2)
    desk.specs(job(name, since_s=0.5, sharding_total_count=2))
    actions = desk.fire(1)
    assert of(actions, Create) == []
    (wake,) = [w for w in of(actions, Wake) if isinstance(w.event, CreateDue)]
    desk.seconds = wake.at_mono
    (claim,) = of(desk.tell(wake.event), Create)
    assert claim.request.create is False
    (later,) = of(desk.answer([claim], Creation.ABSENT), Wake)
    assert later.at_mono - 1 >= 0.02 - 1e-9
    desk.seconds = later.at_mono
    (create,) = of(desk.tell(later.event), Create)
    assert create.request.create is True
    assert create.request.claim_items == claim.request.claim_items != ()


def test_what_there_is_no_room_for_is_created_pending_and_claimed_as_soon_as_there_is() -> None:
    desk = Desk(capacity=1, ahead_s=0.0).up()
    desk.specs(job(since_s=0.5, sharding_total_count=5))
    (create,) = of(desk.fire(1), Create)
    room = len(create.request.claim_items)
    assert 0 < room < 5
    launches = of(desk.answer([create]), Launch)
    (claim,) = of(desk.over(launches[0].claimed), Claim)
    assert [one.item for one in claim.keys] == [room]


def test_a_reading_from_before_the_creation_does_not_forget_what_waits_for_room() -> None:
    desk = Desk(capacity=1, ahead_s=0.0).up()
    desk.specs(job(since_s=0.5, sharding_total_count=5))
    (reading,) = of(desk.tell(Hinted(work=True)), ReadPending)
    launches = of(desk.answer(of(desk.fire(1), Create)), Launch)
    desk.tell(PendingRead(reading.incarnation, (), full=False))
    assert of(desk.over(launches[0].claimed), Claim)


def test_a_fire_that_the_store_finds_early_is_asked_for_again_when_it_is_due() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    creates = of(desk.fire(1), Create)
    desk.seconds = 0.7
    (wake,) = of(desk.answer(creates, Creation.EARLY), Wake)
    assert wake.at_mono == pytest.approx(1.0 - LEAD_S)
    desk.seconds = wake.at_mono
    again = desk.tell(wake.event)
    assert fires(again) == [1]
    desk.seconds = 0.99
    (wake,) = of(desk.answer(of(again, Create), Creation.EARLY), Wake)
    assert wake.at_mono == pytest.approx(1.0)


def test_a_version_that_the_store_does_not_agree_with_is_read_again_and_then_left_to_the_sweep() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    creates = of(desk.fire(1), Create)
    for _ in range(4):
        (wake,) = of(desk.answer(creates, Creation.NOT_IN_FORCE), Wake)
        assert isinstance(wake.event, SpecsDue)
        desk.seconds = wake.at_mono
        assert of(desk.tell(wake.event), ReadSpecs) == [ReadSpecs(("job",))]
        creates = of(desk.specs(job(since_s=0)), Create)
        creates = [create for create in creates if create.request.fire_time == T0 + timedelta(seconds=1)]
        assert creates
    assert of(desk.answer(creates, Creation.NOT_IN_FORCE), Wake) == []


def test_a_new_owner_looks_back_at_every_fire_of_the_window_and_no_further() -> None:
    desk = Desk(capacity=100).up("n1", "n2")
    name = owned_elsewhere(desk)
    desk.seconds = 100
    desk.specs(job(name))
    assert sorted(fires(desk.view("n1", epoch=2))) == list(range(71, 101))


def test_a_look_back_asks_for_nothing_twice() -> None:
    desk = Desk(capacity=100).up()
    desk.seconds = 10
    assert len(fires(desk.specs(job(since_s=0)))) == 11
    assert fires(desk.view("n1", "n2", epoch=2)) == []


def test_a_version_taken_up_is_looked_back_at_from_its_stamp_on() -> None:
    desk = Desk().up()
    desk.specs(job("another", since_s=10_000))
    desk.seconds = 10
    assert fires(desk.specs(job(since_s=7.5))) == [8, 9, 10]


def test_a_superseded_version_is_looked_back_at_up_to_its_end() -> None:
    desk = Desk(capacity=100).up()
    desk.seconds = 10
    old = job(number=1, since_s=-3600, until_s=5.5, every=timedelta(seconds=2))
    new = job(number=2, since_s=5.5, every=timedelta(seconds=3))
    found = of(desk.specs(old, new, whole=True), Create)
    asked = {(c.request.job_version, (c.request.fire_time - T0).total_seconds()) for c in found}
    assert {(1, 2.0), (1, 4.0), (2, 6.0), (2, 9.0)} <= asked
    assert not {fire for version, fire in asked if version == 1 and fire > 5.5}


def test_after_the_store_was_away_only_what_it_did_not_answer_is_asked_for_again() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    desk.answer(of(desk.fire(1), Create))
    lost = of(desk.fire(2), Create)
    desk.tell(RunsUnanswered(desk.incarnation, tuple(create.request for create in lost)))
    desk.tell(BeatUnanswered("away"))
    assert fires(desk.fire(3)) == []
    assert sorted(fires(desk.beat())) == [2, 3]


def test_room_reserved_for_a_creation_comes_back_whatever_the_answer() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    before = desk.planner.mind.holdings.room
    lost = of(desk.fire(1), Create)
    assert desk.planner.mind.holdings.room < before
    desk.tell(RunsUnanswered(desk.incarnation, tuple(create.request for create in lost)))
    assert desk.planner.mind.holdings.room == before
    desk.answer(of(desk.fire(2), Create), Creation.SKIPPED)
    assert desk.planner.mind.holdings.room == before


def test_changes_of_many_jobs_are_taken_up_in_pieces_and_nobody_is_late_for_them() -> None:
    desk = Desk(capacity=10_000, take_up_piece=10).up()
    names = [f"job-{n:02}" for n in range(40)]
    desk.specs(job("other"), *(job(name, number=n) for n, name in enumerate(names, 100)), whole=True)
    desk.fire(1)
    changed = {name: job(name, number=n, since_s=1.5, priority=1) for n, name in enumerate(names, 200)}
    catalog = desk.planner.mind.catalog

    def taken_up() -> set[str]:
        return {name for name, version in changed.items() if catalog.job_version(version.version)}

    (wake,) = of(desk.specs(*changed.values()), Wake)
    assert len(taken_up()) == 10
    # whoever is due before its turn is taken up then
    due = {create.request.job_name: create.request.job_version for create in of(desk.fire(2), Create)}
    assert due == {"other": 10, **{name: version.version for name, version in changed.items()}}
    assert taken_up() == set(names)
    assert desk.tell(wake.event) == []


def test_what_was_read_last_is_taken_up_first_and_what_it_replaces_never() -> None:
    desk = Desk(take_up_piece=10).up()
    many = [job(f"job-{n:02}", number=n, since_s=10_000) for n in range(100, 140)]
    (wake,) = of(desk.specs(*many), Wake)
    newer = job("job-100", number=500, since_s=10_000, priority=1)
    desk.specs(newer)
    catalog = desk.planner.mind.catalog
    assert catalog.job_version(500) == newer
    while wakes := of(desk.tell(wake.event), Wake):
        (wake,) = wakes
    assert catalog.job("job-100") == JobHistory((newer,))
    assert all(catalog.job_version(number) for number in range(101, 140))


def test_a_look_back_under_way_asks_for_no_fire_of_a_schedule_that_the_job_has_no_more() -> None:
    desk = Desk(look_back_piece=1).up()
    desk.specs(job("another", number=1), job(number=2), whole=True)
    desk.seconds = 10
    looking = desk.tell(TasksRenewed())
    new = job(number=3, since_s=0, every=timedelta(seconds=3))
    found = of(desk.specs(job(number=2, until_s=0), new), Create)
    while wakes := [wake for wake in of(looking, Wake) if isinstance(wake.event, LookOn)]:
        looking = desk.tell(wakes[0].event)
        found += of(looking, Create)
    times = [(one.request.fire_time - T0).total_seconds() for one in found if one.request.job_version == 3]
    assert times
    assert [at for at in times if at % 3] == []


def test_a_disabled_or_deleted_job_fires_no_more() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0))
    assert fires(desk.fire(1)) == [1]
    desk.specs(job(number=11, since_s=1.5, enabled=False))
    assert fires(desk.fire(2)) == []


def test_jobs_of_an_equal_schedule_share_one_timer() -> None:
    desk = Desk().up()
    desk.specs(*(job(f"job-{n}") for n in range(50)))
    assert len(desk.planner.mind.timetable) == 1


def test_what_a_creation_leaves_of_a_job_with_limits_is_claimed_at_once() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0.5, sharding_total_count=2, max_running=1))
    (create,) = of(desk.fire(1), Create)
    assert create.request.claim_items == (0, 1)
    actions = desk.answer([create], claims=False)
    assert of(actions, Launch) == []
    (claim,) = of(actions, Claim)
    assert [one.item for one in claim.keys] == [0, 1]


def test_what_a_creation_leaves_of_a_job_without_limits_is_held_by_others() -> None:
    desk = Desk().up()
    desk.specs(job(since_s=0.5, sharding_total_count=2))
    (create,) = of(desk.fire(1), Create)
    assert of(desk.answer([create], Creation.EXISTS, claims=False), Claim) == []
