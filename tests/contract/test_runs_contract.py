"""What every RunStore must do: creating runs, claiming their attempts (rules 1, 3, 4 and 10)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.ports.runs import WAITED_FOR_S, CreateRun, Creation
from shardkeeper.ports.specs import InvalidMark
from tests.contract.story import COMPLETED, FAILED, PENDING, A, B, Story


def test_a_run_is_created_with_all_its_attempts_and_the_creators_own_are_running(story: Story) -> None:
    story.job(sharding_total_count=3)
    answer = story.create(claim_items=(0, 2))
    assert [claimed.key.item for claimed in answer.claimed] == [0, 2]
    assert story.statuses(answer.run_id) == ["RUNNING", "PENDING", "RUNNING"]
    assert story.status(answer.run_id) == "RUNNING"


def test_a_run_of_which_nothing_is_claimed_is_created_and_not_running(story: Story) -> None:
    story.job()
    answer = story.create(claim_items=())
    assert answer.claimed == ()
    assert story.status(answer.run_id) == "CREATED"


def test_what_is_claimed_says_all_that_an_attempt_needs(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request()
    (first, _) = story.ask(request).claimed
    assert first.key.fire_time == request.fire_time
    assert (first.key.item, first.key.attempt, first.claim_no) == (0, 1, 1)
    assert (first.tries, first.takeovers, first.checkpoint, first.stop_requested) == (0, 0, None, False)
    head = first.run
    assert (head.job_name, head.kind, head.sharding_total_count) == ("job", "schedule", 2)
    assert (head.job_version, head.impl_version) == (request.job_version, request.impl_version)
    assert head.parameters == {}


def test_a_second_creator_is_told_that_the_run_exists_and_claims_its_own_items_of_it(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request(claim_items=(0,))
    first = story.ask(request, A)
    second = story.ask(story.request(fire=request.fire_time, claim_items=(1,)), B)
    assert second.outcome is Creation.EXISTS
    assert second.run_id == first.run_id
    assert [claimed.key.item for claimed in second.claimed] == [1]
    assert story.statuses(first.run_id) == ["RUNNING", "RUNNING"]


def test_a_second_creator_does_not_get_what_another_holds(story: Story) -> None:
    story.job()
    request = story.request()
    story.ask(request, A)
    assert story.ask(request, B).claimed == ()


def test_who_goes_by_another_version_than_the_run_pins_claims_nothing_of_it(story: Story) -> None:
    """Who owns an item is decided by the pinned version; by another one it may be somebody else's."""
    story.job()
    request = story.request(claim_items=())
    story.ask(request, A)
    story.job(owner="ada")
    by_the_new = story.ask(story.request(fire=request.fire_time), B)
    assert (by_the_new.outcome, by_the_new.claimed) == (Creation.EXISTS, ())
    by_the_pinned = story.ask(story.request(fire=request.fire_time, job_version=request.job_version), B)
    assert len(by_the_pinned.claimed) == 1


def test_creating_again_after_an_unknown_commit_gives_the_same_claims(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request()
    first, again = story.ask(request), story.ask(request)
    assert again.outcome is Creation.EXISTS
    assert again.claimed == first.claimed
    assert again.run_id == first.run_id


def test_who_only_claims_finds_the_run_absent_until_it_is_created(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request(claim_items=(0,))
    claim_only = story.request(fire=request.fire_time, claim_items=(1,), create=False)
    assert story.ask(claim_only, B).outcome is Creation.ABSENT
    story.ask(request, A)
    answer = story.ask(claim_only, B)
    assert answer.outcome is Creation.EXISTS
    assert [claimed.key.item for claimed in answer.claimed] == [1]


def test_answers_come_in_the_order_asked(story: Story) -> None:
    for job in ("c", "a", "b"):
        story.job(job)
    requests = [story.request(job) for job in ("c", "a", "b")]
    answers = story.world.runs.create(A, requests)
    assert [answer.claimed[0].run.job_name for answer in answers] == ["c", "a", "b"]


def test_one_request_that_is_not_granted_does_not_hurt_the_others(story: Story) -> None:
    story.job("good")
    story.job("bad")
    requests = [story.request("bad", job_version=0), story.request("good")]
    answers = story.world.runs.create(A, requests)
    assert [answer.outcome for answer in answers] == [Creation.NOT_IN_FORCE, Creation.CREATED]


def test_no_run_is_created_before_its_fire_time(story: Story) -> None:
    story.job()
    request = story.request(fire=story.world.now() + timedelta(seconds=5))
    answer = story.ask(request)
    assert answer.outcome is Creation.EARLY
    assert answer.now < request.fire_time


def test_a_fire_that_is_a_little_ahead_is_waited_for_and_created_when_it_is_due(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request(fire=story.world.now() + timedelta(seconds=0.8 * WAITED_FOR_S), claim_items=(1,))
    answer = story.ask(request)
    assert (answer.outcome, [claimed.key.item for claimed in answer.claimed]) == (Creation.CREATED, [1])
    assert answer.now >= request.fire_time
    assert story.row(answer.run_id)["started_at"] >= request.fire_time
    assert story.statuses(answer.run_id) == ["PENDING", "RUNNING"]


def test_of_several_fires_ahead_the_last_is_waited_for(story: Story) -> None:
    for job in ("soon", "later"):
        story.job(job)
    now = story.world.now()
    soon, later = (
        story.request(job, fire=now + share * timedelta(seconds=WAITED_FOR_S))
        for job, share in (("soon", 0.2), ("later", 0.9))
    )
    answers = story.world.runs.create(A, [later, soon])
    assert [answer.outcome for answer in answers] == [Creation.CREATED] * 2
    assert min(answer.now for answer in answers) >= later.fire_time


def ahead(story: Story, job: str = "job", **changes: Any) -> CreateRun:
    return story.request(job, fire=story.world.now() + timedelta(seconds=0.8 * WAITED_FOR_S), **changes)


def test_what_is_wrong_with_a_fire_that_is_ahead_is_told_as_for_any_other(story: Story) -> None:
    for job in ("paused", "lives", "good", "changed", "another"):
        story.job(job)
    story.world.operator.pause("paused", "holiday", None, "ada")
    story.create("lives")
    jobs = ("paused", "lives", "good", "changed", "another")
    requests = [
        ahead(story, job, job_version=0) if job == "changed" else ahead(story, job, create=job != "another")
        for job in jobs
    ]
    answers = story.world.runs.create(A, requests)
    # what is not simple may be put off until the others have begun
    answers = [
        story.ask(request) if answer.outcome is Creation.EARLY else answer
        for request, answer in zip(requests, answers, strict=True)
    ]
    assert [answer.outcome for answer in answers] == [
        Creation.SKIPPED,
        Creation.SKIPPED,
        Creation.CREATED,
        Creation.NOT_IN_FORCE,
        Creation.ABSENT,
    ]
    assert story.attempts(answers[2].run_id)[0]["status"] == "RUNNING"


def test_a_fire_ahead_that_another_creates_meanwhile_exists(story: Story) -> None:
    story.job()
    request = ahead(story)
    created = story.ask(request, A)
    again = story.ask(request, A)
    other = story.ask(request, B)
    assert (again.outcome, again.claimed) == (Creation.EXISTS, created.claimed)
    assert (other.outcome, other.claimed) == (Creation.EXISTS, ())


def test_who_is_dead_creates_nothing_ahead(story: Story) -> None:
    story.job()
    request = ahead(story)
    story.kill(A)
    assert story.ask(replace(request, fire_time=ahead(story).fire_time), A).outcome is Creation.DEAD


def test_a_fire_out_of_the_on_time_window_is_left_to_the_sweep(story: Story) -> None:
    story.job()
    fire = story.world.now()
    story.world.pass_time(story.world.on_time_window_s + 1)
    fire = min(fire, story.world.now() - timedelta(seconds=story.world.on_time_window_s + 0.5))
    assert story.ask(story.request(fire=fire)).outcome is Creation.OLD


def test_a_fire_older_than_its_misfire_grace_is_left_to_the_sweep_too(story: Story) -> None:
    story.job(misfire_grace=timedelta(seconds=2))
    story.world.pass_time(4)
    fire = story.world.now() - timedelta(seconds=3)
    assert story.ask(story.request(fire=fire)).outcome is Creation.OLD


def test_a_fire_belongs_to_the_version_in_force_at_its_fire_time(story: Story) -> None:
    story.job(owner="ada")
    old, fire = story.version(), story.world.now()
    story.job(owner="bob")
    new = story.version()
    assert story.ask(story.request(fire=fire, job_version=new)).outcome is Creation.NOT_IN_FORCE
    assert story.ask(story.request(fire=fire, job_version=old)).outcome is Creation.CREATED


def test_a_run_pins_the_impl_version_in_force_at_its_fire_time(story: Story) -> None:
    story.job()
    old, fire = story.impl_version(), story.world.now()
    story.world.author.put_impl("impl", entrypoint="tasks:Other")
    new = story.impl_version()
    assert story.ask(story.request(fire=fire, impl_version=new)).outcome is Creation.NOT_IN_FORCE
    assert story.ask(story.request(fire=fire, impl_version=old)).outcome is Creation.CREATED


def test_a_job_does_not_run_a_fire_from_before_its_insertion(story: Story) -> None:
    fire = story.world.now()
    story.job()
    assert story.ask(story.request(fire=fire)).outcome is Creation.NOT_IN_FORCE


def test_a_fire_at_which_the_job_is_disabled_leaves_no_record(story: Story) -> None:
    story.job(enabled=False)
    request = story.request()
    assert story.ask(request).outcome is Creation.NOT_IN_FORCE
    assert story.ask(request).run_id is None


def test_a_version_that_is_marked_invalid_is_not_in_force(story: Story) -> None:
    story.job()
    valid = story.version()
    story.job(cron="0 0 30 2 *", every=None)
    invalid = story.version()
    fire = story.world.now()
    story.world.specs.mark_invalid([_mark(invalid)])
    assert story.ask(story.request(fire=fire, job_version=invalid)).outcome is Creation.NOT_IN_FORCE
    assert story.ask(story.request(fire=fire, job_version=valid)).outcome is Creation.CREATED


def _mark(version: int) -> InvalidMark:
    return InvalidMark("job", version, "cron never fires")


def test_a_fire_within_a_pause_is_skipped_with_a_record(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", "maintenance", None, "ada")
    answer = story.ask(story.request())
    assert answer.outcome is Creation.SKIPPED
    assert answer.reason is not None
    assert "maintenance" in answer.reason
    assert story.status(answer.run_id) == "SKIPPED"
    assert story.attempts(answer.run_id) == []


def test_a_fire_after_which_its_job_was_paused_is_skipped(story: Story) -> None:
    story.job()
    fire = story.world.now()
    story.world.operator.pause("job", None, None, "ada")
    assert story.ask(story.request(fire=fire)).outcome is Creation.SKIPPED


def test_a_fire_before_whose_creation_a_pause_came_and_went_is_skipped(story: Story) -> None:
    story.job()
    fire = story.world.now()
    story.world.operator.pause("job", None, None, "ada")
    story.world.now()
    story.world.operator.resume("job", "ada")
    assert story.ask(story.request(fire=fire)).outcome is Creation.SKIPPED


def test_a_fire_after_a_pause_runs(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", None, None, "ada")
    story.world.now()
    story.world.operator.resume("job", "ada")
    assert story.ask(story.request()).outcome is Creation.CREATED


def test_a_pause_ends_by_itself_at_its_time(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", None, story.world.now() + timedelta(seconds=60), "ada")
    assert story.ask(story.request()).outcome is Creation.SKIPPED
    story.world.pass_time(61)
    assert story.ask(story.request()).outcome is Creation.CREATED


def test_a_fire_whose_job_was_disabled_meanwhile_is_skipped(story: Story) -> None:
    story.job()
    request = story.request()
    story.job(enabled=False)
    assert story.ask(request).outcome is Creation.SKIPPED


def test_a_fire_whose_job_was_deleted_meanwhile_is_skipped(story: Story) -> None:
    story.job()
    request = story.request()
    story.world.author.delete_job("job")
    assert story.ask(request).outcome is Creation.SKIPPED


def test_a_fire_whose_job_was_disabled_and_enabled_again_meanwhile_is_skipped(story: Story) -> None:
    story.job()
    request = story.request()
    story.job(enabled=False)
    story.job(enabled=True)
    assert story.ask(request).outcome is Creation.SKIPPED


def test_a_skipped_record_stands_whoever_asks_again(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", None, None, "ada")
    request = story.request()
    first = story.ask(request, A)
    story.world.operator.resume("job", "ada")
    again = story.ask(request, B)
    assert again.outcome is Creation.SKIPPED
    assert again.run_id == first.run_id


def test_an_unknown_incarnation_creates_nothing(story: Story) -> None:
    story.job()
    request = story.request()
    assert story.ask(request, "nobody/1").outcome is Creation.DEAD
    assert story.ask(request, A).outcome is Creation.CREATED


def test_a_dead_incarnation_creates_nothing(story: Story) -> None:
    story.job()
    request = story.request()
    story.kill(A)
    assert story.ask(request, A).outcome is Creation.DEAD
    assert story.ask(request, B).outcome is Creation.CREATED


def test_a_draining_incarnation_goes_on_creating(story: Story) -> None:
    story.job()
    story.world.leases.drain(A)
    answer = story.create(by=A)
    assert len(answer.claimed) == 1


def test_a_claim_of_what_is_held_here_and_of_what_is_free_is_answered_with_both(story: Story) -> None:
    """As after a claim of which nobody knows whether it was committed; what another holds is left out."""
    story.job(sharding_total_count=3)
    story.create(claim_items=())
    first, second, third = sorted(each.key for each in story.pending())
    story.claim([first])
    story.claim([third], by=B)
    found = story.claim([first, second, third])
    assert [(one.key, one.claim_no) for one in found] == [(first, 1), (second, 1)]
    assert story.status(first.run_id) == "RUNNING"


def test_a_draining_incarnation_claims_nothing_of_what_lies_there(story: Story) -> None:
    story.job()
    story.create(by=B, claim_items=())
    keys = [each.key for each in story.pending(B)]
    story.world.leases.drain(A)
    assert story.claim(keys, A) == []


# Overlap


def test_with_overlap_skip_a_fire_is_skipped_while_an_older_run_is_live(story: Story) -> None:
    story.job(overlap="skip")
    first = story.create()
    second = story.ask(story.request())
    assert second.outcome is Creation.SKIPPED
    assert second.reason is not None
    assert str(first.run_id) in second.reason
    assert story.status(second.run_id) == "SKIPPED"
    assert story.attempts(second.run_id) == []


@pytest.mark.parametrize("status", [COMPLETED, FAILED])
def test_a_run_that_has_ended_is_in_nobodys_way(story: Story, status: AttemptStatus) -> None:
    story.job(overlap="skip")
    story.run_to(status)
    assert story.create().claimed


def test_with_overlap_allow_runs_live_side_by_side(story: Story) -> None:
    story.job(overlap="allow")
    assert story.create().claimed
    assert story.create().claimed


def test_with_overlap_queue_a_run_waits_and_cannot_be_claimed(story: Story) -> None:
    story.job(overlap="queue")
    first = story.create(claim_items=())
    second = story.create()
    assert second.claimed == ()
    assert story.status(second.run_id) == "CREATED"
    assert {each.key.run_id for each in story.pending()} == {first.run_id}
    assert second.run_id is not None
    (row,) = story.attempts(second.run_id)
    assert story.claim([AttemptKey(second.run_id, row["fire_time"], 0, 1)]) == []


def test_asking_again_for_a_waiting_run_does_not_claim_it_either(story: Story) -> None:
    story.job(overlap="queue")
    story.create()
    request = story.request()
    story.ask(request)
    again = story.ask(request)
    assert again.outcome is Creation.EXISTS
    assert again.claimed == ()


def test_the_oldest_waiting_run_has_its_turn_when_the_live_one_ends(story: Story) -> None:
    story.job(overlap="queue")
    first = story.running()
    second, third = story.create(), story.create()
    story.end(first)
    (claimed,) = story.claim_pending(B)
    assert claimed.key.run_id == second.run_id
    story.end(claimed, by=B)
    assert [each.key.run_id for each in story.pending()] == [third.run_id]


def test_a_waiting_run_that_has_its_turn_waits_from_then_on_only(story: Story) -> None:
    story.job(overlap="queue")
    first = story.running()
    story.create()
    story.world.pass_time(20)
    story.end(first)
    (pending,) = story.pending()
    assert pending.waiting_s < 10


def test_with_overlap_replace_the_older_run_is_stopped_and_the_new_one_has_its_turn_then(
    story: Story,
) -> None:
    story.job(overlap="replace", sharding_total_count=2)
    older = story.create(claim_items=(0,))
    newer = story.create(claim_items=())
    assert story.statuses(older.run_id) == ["RUNNING", "STOPPED"]
    assert story.pending() == []
    assert [held.stop_requested for held in story.beat(A).held] == [True]
    story.end(older.claimed[0], AttemptStatus.STOPPED)
    assert story.status(older.run_id) == "STOPPED"
    assert {each.key.run_id for each in story.pending()} == {newer.run_id}


def test_with_overlap_replace_an_older_run_that_nobody_holds_is_stopped_at_once(story: Story) -> None:
    story.job(overlap="replace")
    older = story.create(claim_items=())
    newer = story.create(claim_items=())
    assert story.status(older.run_id) == "STOPPED"
    assert [each.key.run_id for each in story.pending()] == [newer.run_id]


def test_with_overlap_replace_the_newest_run_replaces_those_that_wait_too(story: Story) -> None:
    story.job(overlap="replace")
    first = story.running()
    second, third = story.create(), story.create()
    assert story.status(second.run_id) == "STOPPED"
    story.end(first, AttemptStatus.STOPPED)
    assert [each.key.run_id for each in story.pending()] == [third.run_id]


def test_with_overlap_replace_a_fire_that_is_created_late_stops_no_newer_run(story: Story) -> None:
    story.job(overlap="replace")
    late = story.request()
    newer = story.create()
    answer = story.ask(late)
    assert answer.outcome is Creation.SKIPPED
    assert answer.reason is not None
    assert answer.reason.startswith(f"run {newer.run_id} (job@")
    assert [held.stop_requested for held in story.beat(A).held] == [False]


def test_with_overlap_replace_a_fire_that_is_created_late_does_not_come_before_a_newer_that_waits(
    story: Story,
) -> None:
    story.job(overlap="replace")
    first = story.running()
    late = story.request()
    newest = story.create()
    answer = story.ask(late)
    assert answer.outcome is Creation.SKIPPED
    assert answer.reason is not None
    assert answer.reason.startswith(f"run {newest.run_id} (job@")
    story.end(first, AttemptStatus.STOPPED)
    assert [each.key.run_id for each in story.pending()] == [newest.run_id]


def test_a_triggered_run_neither_waits_for_a_live_one_nor_is_in_the_way(story: Story) -> None:
    story.job(overlap="skip")
    story.create(claim_items=())
    triggered = story.world.operator.trigger("job", {}, None, None, "ada")
    assert triggered in {each.key.run_id for each in story.pending()}
    story.job("other", overlap="skip")
    story.world.operator.trigger("other", {}, None, None, "ada")
    assert story.create("other").claimed


# Claims


def test_of_two_that_claim_one_attempt_one_gets_it(story: Story) -> None:
    story.job()
    story.create(claim_items=())
    keys = [each.key for each in story.pending()]
    assert [claimed.key for claimed in story.claim(keys, A)] == keys
    assert story.claim(keys, B) == []


def test_claiming_again_after_an_unknown_commit_gives_the_same_claim(story: Story) -> None:
    story.job()
    story.create(claim_items=())
    keys = [each.key for each in story.pending()]
    assert story.claim(keys, A) == story.claim(keys, A)


def test_the_first_claim_of_a_run_sets_it_running(story: Story) -> None:
    story.job()
    answer = story.create(claim_items=())
    story.claim_pending()
    row = story.row(answer.run_id)
    assert row["status"] == "RUNNING"
    assert row["started_at"] is not None
    (attempt,) = story.attempts(answer.run_id)
    assert (attempt["node_id"], attempt["incarnation"]) == ("node-a", A)
    assert attempt["claimed_at"] is not None


def test_each_claim_has_a_higher_number(story: Story) -> None:
    story.job()
    first = story.running()
    story.end(first, PENDING)
    (second,) = story.claim_pending(B)
    assert second.key == first.key
    assert second.claim_no == first.claim_no + 1


def test_what_does_not_exist_cannot_be_claimed(story: Story) -> None:
    story.job()
    held = story.running()
    nothing = AttemptKey(held.key.run_id, held.key.fire_time, 7, 1)
    later = AttemptKey(held.key.run_id, held.key.fire_time, 0, 2)
    assert story.claim([nothing, later]) == []


def test_what_has_ended_cannot_be_claimed(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held)
    assert story.claim([held.key], B) == []


def test_a_dead_incarnation_claims_nothing(story: Story) -> None:
    story.job()
    story.create(by=B, claim_items=())
    keys = [each.key for each in story.pending(B)]
    story.kill(A)
    assert story.claim(keys, A) == []


def test_items_of_each_node_belong_to_their_node_alone(story: Story) -> None:
    story.job(sharding_strategy="each_node")
    answer = story.create(sharding_total_count=2, nodes=("node-a", "node-b"), claim_items=(0,))
    assert [claimed.key.item for claimed in answer.claimed] == [0]
    assert story.pending(A) == []
    (pending,) = story.pending(B)
    assert pending.pinned_node == "node-b"
    assert story.claim([pending.key], A) == []
    assert [claimed.key.item for claimed in story.claim([pending.key], B)] == [1]


def test_pending_says_what_a_node_must_know_before_it_claims(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request(claim_items=(0,))
    story.ask(request)
    story.world.pass_time(3)
    (pending,) = story.pending()
    assert (pending.job_name, pending.kind, pending.key.item) == ("job", "schedule", 1)
    assert (pending.job_version, pending.impl_version) == (request.job_version, request.impl_version)
    assert pending.sharding_total_count == 2
    assert 3 <= pending.waiting_s < 10


def test_pending_gives_the_longest_waiting_first_and_no_more_than_asked(story: Story) -> None:
    runs = []
    for job in ("c", "a", "b"):
        story.job(job)
        runs.append(story.create(job, claim_items=()).run_id)
        story.world.pass_time(1)
    assert [each.key.run_id for each in story.pending()] == runs
    assert [each.key.run_id for each in story.pending(limit=2)] == runs[:2]


def test_attempts_that_no_node_can_run_are_closed_as_failed(story: Story) -> None:
    story.job(sharding_total_count=2)
    answer = story.create(claim_items=(0,))
    story.world.runs.no_eligible_node(A, [each.key for each in story.pending()], "no node has label gpu")
    assert story.statuses(answer.run_id) == ["RUNNING", "FAILED"]
    assert "no node has label gpu" in story.attempts(answer.run_id)[1]["error_message"]
    assert story.end(answer.claimed[0]).run_closed == "FAILED"


def test_an_attempt_that_is_held_is_not_closed_for_want_of_a_node(story: Story) -> None:
    story.job()
    held = story.running()
    story.world.runs.no_eligible_node(B, [held.key], "nobody")
    assert story.statuses(held.key.run_id) == ["RUNNING"]
