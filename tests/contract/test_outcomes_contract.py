"""What every RunStore must do: outcomes, retries, checkpoints, the closing of runs (rules 5 and 6)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.runs import AttemptStatus, Phase
from shardkeeper.ports.runs import Outcome, Progress, Recording, ValueRow
from tests.contract.story import COMPLETED, FAILED, PENDING, STOPPED, TIMED_OUT, A, B, Story

RETRIES: dict[str, Any] = {"max_attempts": 3}


def test_a_completed_run_of_one_item_has_that_items_result(story: Story) -> None:
    story.job()
    held = story.running()
    answer = story.end(held, result={"price": 7})
    assert (answer.recording, answer.run_closed, answer.retried) == (Recording.RECORDED, "COMPLETED", False)
    row = story.row(held.key.run_id)
    assert (row["status"], row["result"]) == ("COMPLETED", {"price": 7})
    assert row["finished_at"] is not None


def test_a_run_of_many_items_has_their_results_by_item_and_closes_with_the_last(story: Story) -> None:
    story.job(sharding_total_count=3)
    first, second, third = story.create().claimed
    assert story.end(third, result="c").run_closed is None
    assert story.end(first, result="a").run_closed is None
    assert story.end(second).run_closed == "COMPLETED"
    assert story.row(first.key.run_id)["result"] == {"0": "a", "1": None, "2": "c"}


def test_a_run_that_is_not_completed_has_no_result(story: Story) -> None:
    story.job(sharding_total_count=2)
    first, second = story.create().claimed
    story.end(first, result="a")
    story.end(second, FAILED)
    assert story.row(first.key.run_id)["result"] is None
    assert [row["result"] for row in story.attempts(first.key.run_id)] == ["a", None]


def test_items_that_end_on_two_nodes_close_their_run_once(story: Story) -> None:
    story.job(sharding_total_count=2)
    request = story.request(claim_items=(0,))
    (first,) = story.ask(request, A).claimed
    (second,) = story.claim_pending(B)
    assert story.end(first, by=A).run_closed is None
    assert story.end(second, by=B).run_closed == "COMPLETED"


def test_what_the_outcome_says_stands_in_the_attempts_row(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(
        held,
        FAILED,
        phase=Phase.VALIDATE,
        started_at=story.world.now(),
        initialize_ms=1.5,
        calculate_ms=2.5,
        validate_ms=3.5,
        error_type="ValidationError",
        error_message="out of bounds",
        traceback="line 1",
        log="hello",
        code_version="abc",
    )
    (row,) = story.attempts(held.key.run_id)
    assert (row["status"], row["phase"], row["error_type"]) == ("FAILED", "validate", "ValidationError")
    assert (row["initialize_ms"], row["calculate_ms"], row["validate_ms"]) == (1.5, 2.5, 3.5)
    assert (row["error_message"], row["traceback"]) == ("out of bounds", "line 1")
    assert (row["log"], row["code_version"]) == ("hello", "abc")
    assert row["started_at"] is not None
    assert row["finished_at"] is not None


def test_values_of_a_completed_attempt_are_kept(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, values=(ValueRow("seoul", {"index": 1.5}, 2.0), ValueRow("busan", None, 1.0)))
    values = {row["key"]: (row["value"], row["weight"]) for row in story.row(held.key.run_id)["values"]}
    assert values == {"seoul": ({"index": 1.5}, 2.0), "busan": (None, 1.0)}


def test_values_that_validation_refused_are_never_among_the_runs_values(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, FAILED, refused_values=(ValueRow("seoul", -1, 1.0),))
    assert story.row(held.key.run_id)["values"] == []


@pytest.mark.parametrize(
    ("ends", "status"),
    [
        ((COMPLETED, COMPLETED), "COMPLETED"),
        ((COMPLETED, FAILED), "FAILED"),
        ((TIMED_OUT, COMPLETED), "FAILED"),
        ((COMPLETED, STOPPED), "STOPPED"),
        ((STOPPED, FAILED), "FAILED"),
    ],
)
def test_a_failure_outweighs_a_stop_and_a_stop_a_completion(
    story: Story, ends: tuple[AttemptStatus, AttemptStatus], status: str
) -> None:
    story.job(sharding_total_count=2)
    first, second = story.create().claimed
    story.end(first, ends[0])
    assert story.end(second, ends[1]).run_closed == status


def test_an_outcome_sent_again_is_success_and_changes_nothing(story: Story) -> None:
    story.job(sharding_total_count=2)
    held = story.create().claimed[0]
    story.end(held, result="first")
    again = story.end(held, result="second")
    assert again.recording is Recording.REPEATED
    assert [row["result"] for row in story.attempts(held.key.run_id)] == ["first", None]
    assert story.status(held.key.run_id) == "RUNNING"


def test_the_last_outcome_sent_again_writes_no_second_alert(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, FAILED)
    assert story.end(held, FAILED).recording is Recording.REPEATED
    assert story.kinds() == ["failed"]


def test_another_incarnations_outcome_is_superseded(story: Story) -> None:
    story.job()
    held = story.running(by=A)
    assert story.end(held, by=B).recording is Recording.SUPERSEDED
    assert story.statuses(held.key.run_id) == ["RUNNING"]


def test_an_outcome_of_an_earlier_claim_is_superseded(story: Story) -> None:
    story.job()
    first = story.running(by=A)
    story.end(first, PENDING)
    (second,) = story.claim_pending(A)
    assert story.end(first).recording is Recording.SUPERSEDED
    assert story.statuses(first.key.run_id) == ["RUNNING"]
    assert story.end(second).recording is Recording.RECORDED


def test_the_outcome_of_an_attempt_that_was_taken_over_is_superseded(story: Story) -> None:
    story.job()
    held = story.running(by=A)
    story.kill(A)
    assert story.end(held, by=A).recording is Recording.SUPERSEDED
    assert story.statuses(held.key.run_id) == ["LOST", "PENDING"]


def test_the_outcome_of_a_run_that_nobody_knows_is_superseded(story: Story) -> None:
    story.job()
    held = story.running()
    nowhere = type(held.key)(held.key.run_id + 1_000_000, held.key.fire_time, 0, 1)
    outcome = type(story.outcome(held))(nowhere, 1, COMPLETED)
    (answer,) = story.world.runs.record(A, [outcome])
    assert answer.recording is Recording.SUPERSEDED


def test_outcomes_of_an_earlier_incarnation_are_recorded_while_nobody_took_over(story: Story) -> None:
    """A journal is replayed under the incarnation that held the attempts, before the node joins again."""
    story.job()
    held = story.running(by=A)
    assert story.end(held, by=A).recording is Recording.RECORDED


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("zero \x00 byte", id="NUL"),
        pytest.param("half a \ud800 pair", id="surrogate"),
        pytest.param(10**200_000, id="huge"),
        pytest.param(float("nan"), id="NaN"),
    ],
)
def test_what_cannot_be_stored_is_refused_and_the_rest_of_the_batch_is_recorded(
    story: Story, value: object
) -> None:
    story.job(sharding_total_count=3)
    first, second, third = story.create().claimed
    answers = story.world.runs.record(
        A, [story.outcome(first), story.outcome(second, result={"bad": value}), story.outcome(third)]
    )
    recordings = [answer.recording for answer in answers]
    assert recordings == [Recording.RECORDED, Recording.REFUSED, Recording.RECORDED]
    assert answers[1].reason
    assert story.end(second, FAILED).run_closed == "FAILED"


def test_a_value_that_cannot_be_stored_refuses_its_outcome(story: Story) -> None:
    story.job()
    held = story.running()
    answer = story.end(held, values=(ValueRow("key\x00", 1, 1.0),))
    assert answer.recording is Recording.REFUSED
    assert story.statuses(held.key.run_id) == ["RUNNING"]


# Retry


def test_a_retry_is_the_next_attempt_pending_until_its_time(story: Story) -> None:
    story.job(**RETRIES)
    held = story.running()
    answer = story.end(held, FAILED, retry_after_s=30.0)
    assert (answer.retried, answer.run_closed) == (True, None)
    assert story.statuses(held.key.run_id) == ["FAILED", "PENDING"]
    assert story.pending() == []
    story.world.pass_time(31)
    (claimed,) = story.claim_pending(B)
    assert (claimed.key.attempt, claimed.tries, claimed.takeovers) == (2, 1, 0)


def test_a_retry_cannot_be_claimed_before_its_time(story: Story) -> None:
    story.job(**RETRIES)
    held = story.running()
    story.end(held, FAILED, retry_after_s=30.0)
    key = type(held.key)(held.key.run_id, held.key.fire_time, 0, 2)
    assert story.claim([key]) == []


def test_no_more_tries_than_max_attempts_whatever_is_asked(story: Story) -> None:
    story.job(max_attempts=2)
    first = story.running()
    assert story.end(first, TIMED_OUT, retry_after_s=0.0).retried
    (second,) = story.claim_pending()
    answer = story.end(second, FAILED, retry_after_s=0.0)
    assert (answer.retried, answer.run_closed) == (False, "FAILED")


def test_no_retry_that_the_outcome_does_not_ask_for(story: Story) -> None:
    story.job(**RETRIES)
    assert story.end(story.running(), FAILED).run_closed == "FAILED"


@pytest.mark.parametrize("status", [COMPLETED, STOPPED])
def test_what_did_not_end_badly_is_not_retried(story: Story, status: AttemptStatus) -> None:
    story.job(**RETRIES)
    answer = story.end(story.running(), status, retry_after_s=0.0)
    assert (answer.retried, answer.run_closed) == (False, status.value)


def test_a_run_that_is_to_stop_gets_no_retry(story: Story) -> None:
    story.job(**RETRIES)
    held = story.running()
    story.world.operator.stop(held.key.run_id, "ada")
    answer = story.end(held, FAILED, retry_after_s=0.0)
    assert not answer.retried
    assert story.statuses(held.key.run_id) == ["FAILED"]


def test_a_run_that_succeeds_at_its_second_try_is_completed(story: Story) -> None:
    story.job(**RETRIES)
    first = story.running()
    story.end(first, FAILED, retry_after_s=0.0)
    (second,) = story.claim_pending()
    # the first outcome once more, as where its answer was lost
    both = [story.outcome(first, FAILED, retry_after_s=0.0), story.outcome(second, result=1)]
    repeated, recorded = story.world.runs.record(A, both)
    assert (repeated.recording, recorded.run_closed) == (Recording.REPEATED, "COMPLETED")
    assert story.row(first.key.run_id)["result"] == 1
    assert story.alerts() == []


# Giving back


def test_an_attempt_given_back_is_pending_under_the_same_number_and_counts_as_no_try(story: Story) -> None:
    story.job(max_attempts=1)
    held = story.running(by=A)
    assert story.end(held, PENDING).recording is Recording.RECORDED
    assert story.statuses(held.key.run_id) == ["PENDING"]
    (again,) = story.claim_pending(B)
    assert (again.key, again.tries, again.takeovers) == (held.key, 0, 0)


def test_giving_back_again_is_success(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, PENDING)
    assert story.end(held, PENDING).recording is Recording.REPEATED


def test_an_attempt_given_back_with_a_delay_waits_for_that(story: Story) -> None:
    story.job()
    story.end(story.running(), PENDING, delay_s=20.0)
    assert story.pending() == []
    story.world.pass_time(21)
    assert len(story.pending()) == 1


def test_an_attempt_given_back_is_held_by_nobody(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held, PENDING)
    assert story.beat(A).held == ()


def test_an_attempt_of_a_run_that_is_to_stop_is_stopped_when_it_is_given_back(story: Story) -> None:
    story.job()
    held = story.running()
    story.world.operator.stop(held.key.run_id, "ada")
    answer = story.end(held, PENDING)
    assert (answer.recording, answer.run_closed) == (Recording.RECORDED, "STOPPED")
    assert story.statuses(held.key.run_id) == ["STOPPED"]


# Progress and checkpoints


def save(story: Story, by: str, progress: Progress) -> None:
    story.world.runs.progress(by, [progress])


def test_progress_stands_in_the_attempts_row_and_what_is_not_said_stays(story: Story) -> None:
    story.job()
    held = story.running()
    save(story, A, Progress(held.key, held.claim_no, phase=Phase.INITIALIZE, started_at=story.world.now()))
    save(story, A, Progress(held.key, held.claim_no, fraction=0.5, message="half"))
    (row,) = story.attempts(held.key.run_id)
    assert (row["phase"], row["progress"], row["progress_message"]) == ("initialize", 0.5, "half")
    assert row["started_at"] is not None


@pytest.mark.parametrize("by", [A, B])
def test_progress_of_another_claim_is_ignored(story: Story, by: str) -> None:
    story.job()
    held = story.running(by=A)
    wrong_claim = held.claim_no + (1 if by == A else 0)
    save(story, by, Progress(held.key, wrong_claim, checkpoint={"at": 1}, message="zombie"))
    (row,) = story.attempts(held.key.run_id)
    assert (row["checkpoint"], row["progress_message"]) == (None, None)


def test_progress_of_an_attempt_that_has_ended_is_ignored(story: Story) -> None:
    story.job()
    held = story.running()
    story.end(held)
    save(story, A, Progress(held.key, held.claim_no, checkpoint={"at": 1}))
    assert story.attempts(held.key.run_id)[0]["checkpoint"] is None


def test_a_retry_starts_from_the_checkpoint(story: Story) -> None:
    story.job(**RETRIES)
    held = story.running()
    save(story, A, Progress(held.key, held.claim_no, checkpoint={"at": 7}))
    story.end(held, FAILED, retry_after_s=0.0)
    (second,) = story.claim_pending()
    assert second.checkpoint == {"at": 7}


def test_an_attempt_given_back_keeps_its_checkpoint(story: Story) -> None:
    story.job()
    held = story.running()
    save(story, A, Progress(held.key, held.claim_no, checkpoint={"at": 7}))
    story.end(held, PENDING)
    (again,) = story.claim_pending(B)
    assert again.checkpoint == {"at": 7}


def test_a_completed_attempt_has_no_checkpoint_any_more(story: Story) -> None:
    story.job()
    held = story.running()
    save(story, A, Progress(held.key, held.claim_no, checkpoint={"at": 7}))
    story.end(held)
    assert story.attempts(held.key.run_id)[0]["checkpoint"] is None


# Job status


def test_the_job_shows_how_its_last_run_ended_and_its_failures_in_a_row(story: Story) -> None:
    story.job()
    for ending in (FAILED, FAILED):
        last = story.run_to(ending)
    (row,) = story.world.operator.jobs(name="job")
    assert (row["last_run"], row["last_status"], row["failures_in_a_row"]) == (last, "FAILED", 2)
    story.run_to(COMPLETED)
    (row,) = story.world.operator.jobs(name="job")
    assert (row["last_status"], row["failures_in_a_row"]) == ("COMPLETED", 0)


def test_a_stopped_run_neither_adds_to_the_failures_in_a_row_nor_ends_them(story: Story) -> None:
    story.job()
    story.run_to(FAILED)
    story.run_to(STOPPED)
    (row,) = story.world.operator.jobs(name="job")
    assert (row["last_status"], row["failures_in_a_row"]) == ("STOPPED", 1)


def test_runs_of_one_job_that_end_together_are_told_in_the_order_of_their_fires(story: Story) -> None:
    story.job(overlap="allow")
    older, newer = story.running(), story.running()
    ended = [story.outcome(newer, FAILED), story.outcome(older)]
    assert [one.run_closed for one in story.world.runs.record(A, ended)] == ["FAILED", "COMPLETED"]
    (row,) = story.world.operator.jobs(name="job")
    assert (row["last_run"], row["last_status"], row["failures_in_a_row"]) == (newer.key.run_id, "FAILED", 1)
    assert story.kinds() == ["failed"]


def test_runs_of_one_item_and_of_many_that_end_together_release_their_jobs(story: Story) -> None:
    story.job("one", overlap="queue")
    story.job("many", overlap="queue", sharding_total_count=2)
    held = [*story.create("one").claimed, *story.create("many").claimed]
    story.world.pass_time(10)
    waiting = [story.create("one").run_id, story.create("many").run_id]
    closed = [one.run_closed for one in story.world.runs.record(A, [story.outcome(one) for one in held])]
    assert closed[0] == "COMPLETED"
    assert sorted(map(str, closed[1:])) == ["COMPLETED", "None"]
    assert [one.key.run_id for one in story.claim_pending()] == [waiting[0], waiting[1], waiting[1]]


def test_an_outcome_that_does_not_count_leaves_nothing_of_its_own_beside_one_that_does(story: Story) -> None:
    story.job()
    held = story.running()
    nobodys = held.key._replace(attempt=2)
    both = [Outcome(nobodys, 1, FAILED, result="of nobody"), story.outcome(held, result="its own")]
    refused, recorded = story.world.runs.record(A, both)
    assert (refused.recording, recorded.run_closed) == (Recording.SUPERSEDED, "COMPLETED")
    assert story.row(held.key.run_id)["result"] == "its own"


def test_fires_far_apart_have_runs_of_their_own(story: Story) -> None:
    story.job(overlap="allow")
    fire = story.world.now()
    story.world.pass_time(5)
    first = story.create(fire=fire)
    second = story.create(fire=fire + timedelta(milliseconds=1))
    assert first.run_id != second.run_id


def test_an_outcome_counts_beside_the_repeated_one_of_an_earlier_claim(story: Story) -> None:
    """Given back and answered unheard, it came here again and ended before the first was repeated."""
    story.job()
    first = story.running()
    given_back = story.outcome(first, PENDING)
    story.world.runs.record(A, [given_back])
    (second,) = story.claim([first.key])
    answers = story.world.runs.record(A, [given_back, story.outcome(second)])
    assert [answer.recording for answer in answers] == ["superseded", "recorded"]
    assert story.status(first.key.run_id) == "COMPLETED"
