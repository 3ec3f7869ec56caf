"""What every store must do: rolling back what a run that failed for good has done outside (rule 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.runs import AttemptStatus, Phase
from shardkeeper.ports.runs import Claimed, Progress, ValueRow
from tests.contract.story import COMPLETED, FAILED, PENDING, STOPPED, A, B, Story

BEGUN: dict[str, Any] = {"phase": Phase.CALCULATE, "compensable": True}
DONE: dict[str, Any] = {"phase": Phase.VALIDATE, "compensable": True}


def failing(story: Story, **columns: Any) -> Claimed:
    """A run of one item that has failed for good after ``calculate``; the attempt that rolls it back, held by A."""
    story.job(**columns)
    held = story.running()
    assert story.end(held, FAILED, **BEGUN).run_closed is None
    (undoing,) = story.claim_pending()
    return undoing


def test_a_run_that_failed_for_good_after_calculate_is_rolled_back_before_it_closes(story: Story) -> None:
    undoing = failing(story)
    assert (undoing.compensates, undoing.key.attempt, undoing.tries, undoing.takeovers) == (True, 2, 0, 0)
    row = story.row(undoing.key.run_id)
    assert (row["status"], row["compensating"], row["finished_at"]) == ("RUNNING", True, None)
    assert story.end(undoing, phase=Phase.COMPENSATE).run_closed == "FAILED"
    row = story.row(undoing.key.run_id)
    assert (row["status"], row["reason"], row["open_items"]) == ("FAILED", None, 0)
    assert [(each["status"], each["compensates"]) for each in row["shard_runs"]] == [
        ("FAILED", False),
        ("COMPLETED", True),
    ]


def test_completed_items_of_a_failed_run_are_rolled_back_too_and_those_that_never_calculated_are_not(
    story: Story,
) -> None:
    story.job(sharding_total_count=3)
    first, second, third = story.create().claimed
    story.end(first, **DONE, values=(ValueRow("a", 1, 1.0),))
    story.end(second, FAILED, phase=Phase.INITIALIZE, compensable=True)
    assert story.end(third, STOPPED, **BEGUN).run_closed is None
    undoing = story.claim_pending()
    assert [(each.key.item, each.compensates) for each in undoing] == [(0, True), (2, True)]
    assert story.end(undoing[0], values=(ValueRow("a", 2, 1.0),)).run_closed is None
    assert story.end(undoing[1]).run_closed == "FAILED"
    assert [(each["key"], each["value"]) for each in story.row(first.key.run_id)["values"]] == [("a", 1)]


@pytest.mark.parametrize("ends", [COMPLETED, STOPPED])
def test_a_run_that_did_not_fail_is_never_rolled_back(story: Story, ends: AttemptStatus) -> None:
    story.job()
    assert story.end(story.running(), ends, **DONE).run_closed == str(ends)
    assert story.pending() == []


def test_a_task_that_has_no_compensate_is_never_rolled_back(story: Story) -> None:
    story.job()
    assert story.end(story.running(), FAILED, phase=Phase.CALCULATE).run_closed == "FAILED"


def test_only_the_last_try_brings_the_rolling_back_about(story: Story) -> None:
    story.job(max_attempts=2)
    held = story.running()
    assert story.end(held, FAILED, **BEGUN, retry_after_s=0.0).retried
    (again,) = story.claim_pending()
    assert not again.compensates
    # it did not come as far; but the first did
    story.end(again, FAILED, phase=Phase.INITIALIZE)
    (undoing,) = story.claim_pending()
    assert (undoing.compensates, undoing.key.attempt) == (True, 3)


def test_what_an_earlier_claim_began_is_rolled_back_though_the_last_one_never_came_as_far(
    story: Story,
) -> None:
    story.job()
    held = story.running()
    story.end(held, PENDING, **BEGUN)
    (again,) = story.claim_pending(B)
    assert story.end(again, FAILED, by=B, phase=Phase.INITIALIZE).run_closed is None
    (undoing,) = story.claim_pending(B)
    assert undoing.compensates


def test_an_attempt_that_was_lost_after_it_said_that_it_calculates_is_rolled_back(story: Story) -> None:
    story.job(failover=False)
    held = story.running()
    report = Progress(held.key, held.claim_no, Phase.CALCULATE, compensable=True)
    story.world.runs.progress(A, [report])
    story.kill(A)
    # without failover its items are not taken over, and a rolling back is none
    (undoing,) = story.claim_pending(B)
    assert undoing.compensates
    assert story.end(undoing, by=B).run_closed == "FAILED"


def test_an_attempt_that_was_lost_before_it_calculates_is_not(story: Story) -> None:
    story.job(failover=False)
    held = story.running()
    story.world.runs.progress(A, [Progress(held.key, held.claim_no, Phase.INITIALIZE, compensable=True)])
    story.kill(A)
    assert story.status(held.key.run_id) == "FAILED"


def test_rolling_back_starts_from_the_checkpoint_of_what_it_rolls_back(story: Story) -> None:
    story.job()
    held = story.running()
    story.world.runs.progress(A, [Progress(held.key, held.claim_no, checkpoint={"step": 3})])
    story.end(held, FAILED, **BEGUN)
    (undoing,) = story.claim_pending()
    assert undoing.checkpoint == {"step": 3}


def test_rolling_back_is_tried_again_by_the_same_policy_and_says_so_when_it_fails(story: Story) -> None:
    undoing = failing(story, max_attempts=2)
    assert story.end(undoing, FAILED, retry_after_s=0.0).retried
    (again,) = story.claim_pending()
    assert (again.compensates, again.tries, again.key.attempt) == (True, 1, 3)
    answer = story.end(again, FAILED, retry_after_s=0.0, error_message="still there")
    assert (answer.run_closed, answer.retried) == ("FAILED", False)
    assert story.row(again.key.run_id)["reason"] == "could not roll back item 0"


def test_the_alert_is_of_what_failed_and_says_when_rolling_back_failed_too(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, FAILED, **BEGUN, error_message="the disk is full")
    assert story.kinds() == []
    (undoing,) = story.claim_pending()
    story.end(undoing, FAILED, error_message="no way back")
    (alert,) = story.alerts()
    assert alert.body["error_message"] == "the disk is full"
    assert (alert.body["items"], alert.body["failed_items"]) == (1, 1)
    assert alert.body["reason"] == "could not roll back item 0"


def test_a_lost_rolling_back_is_taken_over_as_one(story: Story) -> None:
    undoing = failing(story)
    story.kill(A)
    (again,) = story.claim_pending(B)
    assert (again.compensates, again.takeovers, again.key.attempt) == (True, 1, 3)
    assert story.end(again, by=B).run_closed == "FAILED"
    assert story.statuses(undoing.key.run_id) == ["FAILED", "LOST", "COMPLETED"]


def test_a_stop_ends_the_rolling_back_and_the_run_is_failed_all_the_same(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, FAILED, **BEGUN)
    assert story.world.operator.stop(held.key.run_id, "me")
    row = story.row(held.key.run_id)
    assert row["status"] == "FAILED"
    assert row["reason"] == "stopped by me; could not roll back item 0"
    assert story.statuses(held.key.run_id) == ["FAILED", "STOPPED"]


def test_a_stop_of_a_rolling_back_that_runs_is_told_to_its_holder(story: Story) -> None:
    undoing = failing(story)
    assert story.world.operator.stop(undoing.key.run_id, "me")
    assert [each.stop_requested for each in story.beat(A).held] == [True]
    assert story.end(undoing, STOPPED, retry_after_s=0.0).run_closed == "FAILED"


def test_a_run_that_is_to_be_stopped_is_not_rolled_back(story: Story) -> None:
    story.job()
    held = story.running()
    story.world.operator.stop(held.key.run_id, "me")
    assert story.end(held, FAILED, **BEGUN).run_closed == "FAILED"


def test_the_next_run_of_the_job_waits_until_the_rolling_back_is_done(story: Story) -> None:
    undoing = failing(story, overlap="queue")
    waiting = story.create()
    assert story.row(waiting.run_id)["waiting"]
    story.end(undoing)
    assert not story.row(waiting.run_id)["waiting"]


def test_a_rerun_begins_anew_where_the_item_was_rolled_back_and_from_its_checkpoint_where_not(
    story: Story,
) -> None:
    story.job(sharding_total_count=2)
    held = story.create().claimed
    for each in held:
        story.world.runs.progress(A, [Progress(each.key, each.claim_no, checkpoint={"step": each.key.item})])
        story.end(each, FAILED, **BEGUN)
    first, second = story.claim_pending()
    story.end(first)
    story.end(second, FAILED)
    rerun = story.world.operator.rerun(held[0].key.run_id, {}, False, "me")
    assert [each["checkpoint"] for each in story.attempts(rerun)] == [None, {"step": 1}]


def test_a_repeated_outcome_does_not_roll_back_twice(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, FAILED, **BEGUN)
    assert story.end(held, FAILED, **BEGUN).run_closed is None
    assert len(story.attempts(held.key.run_id)) == 2


def test_an_item_pinned_to_a_node_is_rolled_back_there(story: Story) -> None:
    story.job(sharding_strategy="each_node", every=timedelta(seconds=10))
    request = story.request(claim_items=(0,), sharding_total_count=2, nodes=("node-a", "node-b"))
    (first,) = story.ask(request).claimed
    (second,) = story.claim_pending(B)
    story.end(first, FAILED, **BEGUN)
    story.end(second, by=B, **DONE)
    assert [each.key.item for each in story.claim_pending(B)] == [1]
    assert [each.key.item for each in story.claim_pending(A)] == [0]
