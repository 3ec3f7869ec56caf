"""What every LeaseStore must do (rules 7, 11 and 13): one living incarnation of a node, beats, takeover."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.domain.view import Member, View
from shardkeeper.ports.leases import Lease, LeaseState, Registration
from shardkeeper.ports.runs import Progress
from tests.contract.story import FAILED, A, B, Story

A2 = "node-a/2"


def lease(story: Story, incarnation: str) -> Lease:
    return next(each for each in story.beat(B).leases if each.incarnation == incarnation)


def join(story: Story, incarnation: str) -> Registration:
    return Registration(incarnation.split("/")[0], incarnation, "host", 1, 1.0, {"zone": "a"}, "1.0")


def test_a_new_lease_is_active(story: Story) -> None:
    assert lease(story, A).state is LeaseState.ACTIVE
    assert lease(story, A).node_id == "node-a"


def test_joining_again_as_the_same_incarnation_is_success(story: Story) -> None:
    answer = story.world.leases.join(join(story, A))
    assert (answer.joined, answer.predecessor) == (True, None)


def test_a_second_incarnation_of_a_node_is_refused_while_the_first_is_not_dead(story: Story) -> None:
    story.beat(A)
    answer = story.world.leases.join(join(story, A2))
    assert not answer.joined
    assert answer.predecessor is not None
    assert answer.predecessor.incarnation == A
    assert answer.predecessor.beat == lease(story, A).beat
    assert not story.beat(A2).alive


def test_a_draining_predecessor_is_in_the_way_too(story: Story) -> None:
    story.world.leases.drain(A)
    answer = story.world.leases.join(join(story, A2))
    assert answer.predecessor is not None
    assert answer.predecessor.state is LeaseState.DRAINING


def test_a_new_incarnation_takes_over_its_predecessor_before_it_has_joined_and_then_joins(
    story: Story,
) -> None:
    story.job()
    held = story.running(by=A)
    refused = story.world.leases.join(join(story, A2))
    assert refused.predecessor is not None
    answer = story.world.leases.take_over(A2, A, refused.predecessor.beat)
    assert (answer.taken, answer.lost, answer.reissued) == (True, 1, 1)
    assert story.world.leases.join(join(story, A2)).joined
    assert [claimed.key.run_id for claimed in story.claim_pending(A2)] == [held.key.run_id]


def test_a_dead_incarnation_never_joins_again(story: Story) -> None:
    story.kill(A)
    assert not story.world.leases.join(join(story, A)).joined


def test_each_beat_raises_the_counter_by_one(story: Story) -> None:
    before = lease(story, A).beat
    story.beat(A)
    story.beat(A)
    assert lease(story, A).beat == before + 2


def test_a_dead_incarnation_learns_of_it_at_its_beat_and_its_counter_stays(story: Story) -> None:
    story.kill(A)
    before = lease(story, A).beat
    assert not story.beat(A).alive
    assert lease(story, A).beat == before


def test_an_unknown_incarnation_is_told_that_it_is_not_alive(story: Story) -> None:
    assert not story.beat("nobody/1").alive


def test_a_beat_tells_of_all_leases_that_are_not_dead(story: Story) -> None:
    story.world.leases.drain(B)
    leases = {each.incarnation: each.state for each in story.beat(A).leases}
    assert leases == {A: LeaseState.ACTIVE, B: LeaseState.DRAINING}


def test_a_beat_tells_the_labels_of_each_node(story: Story) -> None:
    who = Registration("labelled", "labelled/1", "host", 1, 1.0, {"zone": "east"}, "0")
    assert story.world.leases.join(who).joined
    labels = {each.incarnation: each.labels for each in story.beat(A).leases}
    assert labels["labelled/1"] == {"zone": "east"}


def test_of_a_node_without_a_living_lease_a_beat_tells_of_the_newest_dead_one(story: Story) -> None:
    story.kill(A)
    assert story.join(A2)
    assert {each.incarnation for each in story.beat(B).leases} == {A2, B}
    story.kill(A2)
    states = {each.incarnation: each.state for each in story.beat(B).leases}
    assert states == {A2: LeaseState.DEAD, B: LeaseState.ACTIVE}


def test_a_beat_tells_what_the_store_has_as_running_under_the_incarnation(story: Story) -> None:
    story.job(sharding_total_count=2)
    first, _ = story.create(by=A).claimed
    story.world.operator.stop(first.key.run_id, "ada")
    held = story.beat(A).held
    assert {(each.key.item, each.claim_no, each.job_name) for each in held} == {(0, 1, "job"), (1, 1, "job")}
    assert all(each.stop_requested for each in held)
    assert story.beat(B).held == ()
    story.end(first)
    assert [each.key.item for each in story.beat(A).held] == [1]


def test_a_lease_drains_and_becomes_active_again(story: Story) -> None:
    assert story.world.leases.drain(A)
    assert lease(story, A).state is LeaseState.DRAINING
    assert story.world.leases.drain(A, draining=False)
    assert lease(story, A).state is LeaseState.ACTIVE


def test_a_dead_lease_cannot_drain(story: Story) -> None:
    story.kill(A)
    assert not story.world.leases.drain(A)
    assert not story.world.leases.drain(A, draining=False)
    assert lease(story, A).state is LeaseState.DEAD


def test_a_draining_incarnation_goes_on_beating_and_records_its_outcomes(story: Story) -> None:
    story.job()
    held = story.running(by=A)
    story.world.leases.drain(A)
    assert story.beat(A).alive
    assert story.end(held, by=A).run_closed == "COMPLETED"


def test_who_leaves_is_dead_for_good(story: Story) -> None:
    assert story.world.leases.leave(A)
    assert lease(story, A).state is LeaseState.DEAD
    assert not story.beat(A).alive
    assert story.join(A2)


def test_leaving_again_is_success(story: Story) -> None:
    story.world.leases.leave(A)
    assert story.world.leases.leave(A)


def test_nobody_leaves_while_attempts_are_running_under_it(story: Story) -> None:
    story.job()
    held = story.running(by=A)
    assert not story.world.leases.leave(A)
    assert story.beat(A).alive
    story.end(held)
    assert story.world.leases.leave(A)


# Takeover


def test_a_takeover_is_refused_when_the_beat_has_moved_on(story: Story) -> None:
    story.job()
    held = story.running(by=A)
    seen = lease(story, A).beat
    story.beat(A)
    assert not story.world.leases.take_over(B, A, seen).taken
    assert story.beat(A).alive
    assert story.statuses(held.key.run_id) == ["RUNNING"]


def test_a_takeover_of_an_unknown_incarnation_is_refused(story: Story) -> None:
    assert not story.world.leases.take_over(B, "nobody/1", 0).taken


def test_of_two_takers_one_takes_and_nothing_is_lost_twice(story: Story) -> None:
    story.job(sharding_total_count=2)
    run = story.create(by=A).run_id
    seen = lease(story, A).beat
    first = story.world.leases.take_over(B, A, seen)
    second = story.world.leases.take_over("node-c/1", A, seen)
    assert (first.taken, first.lost, first.reissued) == (True, 2, 2)
    assert (second.taken, second.lost, second.reissued) == (False, 0, 0)
    assert story.statuses(run) == ["LOST", "PENDING", "LOST", "PENDING"]


def test_a_taken_over_item_is_pending_as_the_next_attempt_with_its_checkpoint(story: Story) -> None:
    story.job(max_attempts=1)
    held = story.running(by=A)
    story.world.runs.progress(A, [Progress(held.key, held.claim_no, checkpoint={"at": 7})])
    story.kill(A)
    (claimed,) = story.claim_pending(B)
    assert claimed.key.attempt == 2
    assert (claimed.tries, claimed.takeovers, claimed.checkpoint) == (0, 1, {"at": 7})
    assert story.end(claimed, by=B).run_closed == "COMPLETED"


def test_a_takeover_leaves_alone_what_the_dead_had_ended_or_given_back(story: Story) -> None:
    story.job(sharding_total_count=3)
    first, second, _ = story.create(by=A).claimed
    story.end(first)
    story.end(second, AttemptStatus.PENDING)
    story.kill(A)
    assert story.statuses(first.key.run_id) == ["COMPLETED", "PENDING", "LOST", "PENDING"]


def test_without_failover_a_lost_attempt_fails_the_run(story: Story) -> None:
    story.job(failover=False)
    held = story.running(by=A)
    story.kill(A)
    assert story.statuses(held.key.run_id) == ["LOST"]
    assert story.status(held.key.run_id) == "FAILED"
    assert story.kinds(B) == ["failed"]


def test_items_of_each_node_are_not_taken_over(story: Story) -> None:
    story.job(sharding_strategy="each_node")
    answer = story.create(by=A, sharding_total_count=1, nodes=("node-a",), claim_items=(0,))
    story.kill(A)
    assert story.statuses(answer.run_id) == ["LOST"]
    assert story.status(answer.run_id) == "FAILED"


@pytest.mark.parametrize("allowed", [0, 1])
def test_no_more_takeovers_than_max_takeovers(story: Story, allowed: int) -> None:
    story.job(max_takeovers=allowed)
    run = story.running(by=A).key.run_id
    story.kill(A)
    if allowed:
        assert story.claim_pending(B)
        assert story.join(A2)
        story.kill(B, taker=A2)
    assert story.status(run) == "FAILED"
    assert story.statuses(run) == ["LOST"] * (allowed + 1)


def test_a_lost_attempt_of_a_run_that_is_to_stop_gets_no_other_and_the_run_is_stopped(story: Story) -> None:
    story.job()
    held = story.running(by=A)
    story.world.operator.stop(held.key.run_id, "ada")
    story.kill(A)
    assert len(story.statuses(held.key.run_id)) == 1
    assert story.status(held.key.run_id) == "STOPPED"
    assert story.alerts(B) == []


def test_a_takeover_counts_no_try_and_a_failure_no_takeover(story: Story) -> None:
    story.job(max_attempts=2, max_takeovers=1)
    first = story.running(by=A)
    story.end(first, FAILED, retry_after_s=0.0)
    (second,) = story.claim_pending(A)
    story.kill(A)
    (third,) = story.claim_pending(B)
    assert (third.key.attempt, third.tries, third.takeovers) == (3, 1, 1)
    assert second.key.attempt == 2


def test_a_lost_run_hands_its_turn_on_when_it_is_closed(story: Story) -> None:
    story.job(overlap="queue", failover=False)
    story.running(by=A)
    second = story.create(by=B)
    story.kill(A)
    assert [each.key.run_id for each in story.pending(B)] == [second.run_id]


# The mirrored view and orders to nodes


def view(epoch: int, lineage: str = "first") -> View:
    members = (Member("node-a", A, 2.0, {"zone": "a"}), Member("node-b", B))
    return View(lineage, epoch, A, members, datetime(2026, 11, 21, 3, tzinfo=UTC))


def test_no_view_is_mirrored_at_first(story: Story) -> None:
    assert story.beat(A).mirrored is None


def test_a_mirrored_view_comes_back_with_every_beat(story: Story) -> None:
    story.world.leases.mirror_view(view(3))
    assert story.beat(B).mirrored == view(3)


def test_a_view_is_replaced_by_a_higher_epoch_and_never_by_a_lower_one(story: Story) -> None:
    story.world.leases.mirror_view(view(3))
    story.world.leases.mirror_view(view(2))
    assert story.beat(B).mirrored == view(3)
    story.world.leases.mirror_view(view(4))
    assert story.beat(B).mirrored == view(4)


def test_a_view_of_another_lineage_replaces_any(story: Story) -> None:
    story.world.leases.mirror_view(view(3))
    story.world.leases.mirror_view(view(1, lineage="second"))
    assert story.beat(B).mirrored == view(1, lineage="second")


def test_orders_to_a_node_come_with_its_beats_and_with_no_others(story: Story) -> None:
    story.world.operator.order_drain("node-a", True, "ada")
    story.world.operator.order_workers("node-a", 7, "ada")
    ordered, other = story.beat(A), story.beat(B)
    assert (ordered.drain_ordered, ordered.workers_ordered) == (True, 7)
    assert (other.drain_ordered, other.workers_ordered) == (False, None)
    story.world.operator.order_drain("node-a", False, "ada")
    assert not story.beat(A).drain_ordered
