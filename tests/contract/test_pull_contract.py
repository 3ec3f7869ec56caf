"""What every RunStore must do for attempts that have no owner: pulled by whoever has room (rule 4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.ports.runs import Claimed, Progress
from tests.contract.story import COMPLETED, FAILED, PENDING, A, B, Story

RETRY_S = 5.0


def on_demand(story: Story, name: str = "job", **columns: Any) -> None:
    story.job(name, every=None, **columns)


def order(story: Story, job: str = "job", at: datetime | None = None, **parameters: Any) -> int:
    return story.world.operator.submit(job, {"n": 1} | parameters, None, 0, at, "anna")


def pull(story: Story, most: int = 100, by: str = A, not_jobs: tuple[str, ...] = ()) -> list[Claimed]:
    found = story.world.runs.pull(by, most, not_jobs)
    return sorted(found, key=lambda one: (one.key.run_id, one.key.item))


def ids(claimed: list[Claimed]) -> list[int]:
    return [one.key.run_id for one in claimed]


def test_what_is_submitted_is_pulled_with_all_that_an_attempt_needs(story: Story) -> None:
    on_demand(story, sharding_total_count=2)
    run_id = order(story)
    first, second = pull(story)
    assert [(one.key.run_id, one.key.item, one.claim_no) for one in (first, second)] == [
        (run_id, 0, 1),
        (run_id, 1, 1),
    ]
    assert (first.run.job_name, first.run.parameters) == ("job", {"n": 1})
    assert story.statuses(run_id) == ["RUNNING", "RUNNING"]
    assert pull(story) == pull(story, by=B) == []


def test_what_is_triggered_has_an_owner_and_is_not_pulled(story: Story) -> None:
    on_demand(story)
    run_id = story.world.operator.trigger("job", {}, None, None, "anna")
    assert pull(story) == []
    assert [row.key.run_id for row in story.pending()] == [run_id]


def test_a_submission_of_a_job_with_a_schedule_is_pulled(story: Story) -> None:
    story.job()
    run_id = order(story)
    assert (story.pending(), ids(pull(story))) == ([], [run_id])


def test_a_rerun_is_pulled_where_its_run_was(story: Story) -> None:
    on_demand(story)
    submitted, triggered = order(story), story.world.operator.trigger("job", {}, None, None, "anna")
    for one in story.claim_pending():
        story.end(one, FAILED, error_type="ValueError")
    reruns = [story.world.operator.rerun(run_id, {}, False, "anna") for run_id in (submitted, triggered)]
    assert [row.key.run_id for row in story.pending()] == reruns[1:]
    assert ids(pull(story)) == reruns[:1]


def test_a_rerun_of_what_was_stopped_before_its_time_begins_no_sooner(story: Story) -> None:
    on_demand(story)
    at = datetime(2200, 1, 1, tzinfo=UTC)
    old = story.world.operator.submit("job", {}, None, 0, at, "anna")
    assert story.world.operator.stop(old, "anna")
    new = story.world.operator.rerun(old, {}, False, "anna")
    assert story.row(new)["fire_time"] == at
    assert pull(story) == []


def test_what_is_to_be_pulled_is_not_shown_as_pending_until_nobody_pulled_it_for_a_while(
    story: Story,
) -> None:
    on_demand(story)
    run_id = order(story)
    assert story.pending() == []
    story.world.pass_time(6)
    (row,) = story.pending()
    assert (row.key.run_id, row.owned) == (run_id, False)


def test_a_long_queue_without_owners_hides_nothing_that_has_one(story: Story) -> None:
    on_demand(story)
    queued = [order(story) for _ in range(5)]
    story.world.pass_time(6)
    owned = story.world.operator.trigger("job", {}, None, None, "me")
    assert [(row.key.run_id, row.owned) for row in story.pending(limit=2)] == [
        *((run_id, False) for run_id in queued),
        (owned, True),
    ]


def test_no_more_is_pulled_than_was_asked_for_and_the_oldest_first(story: Story) -> None:
    on_demand(story)
    runs = [order(story) for _ in range(5)]
    assert ids(pull(story, 2)) == runs[:2]
    assert ids(pull(story, 2, by=B)) == runs[2:4]
    assert ids(pull(story, 2)) == runs[4:]


def test_priority_goes_first(story: Story) -> None:
    on_demand(story, "plain")
    on_demand(story, "urgent", priority=10)
    old = order(story, "plain")
    story.world.pass_time(9 * 60)
    urgent = order(story, "urgent")
    assert ids(pull(story, 1)) == [urgent]
    assert ids(pull(story, 1)) == [old]


def test_ten_minutes_of_waiting_make_up_for_ten_points(story: Story) -> None:
    on_demand(story, "plain")
    on_demand(story, "urgent", priority=10)
    old = order(story, "plain")
    story.world.pass_time(11 * 60)
    order(story, "urgent")
    assert ids(pull(story, 1)) == [old]


def test_a_job_that_is_not_to_be_pulled_hides_no_other(story: Story) -> None:
    on_demand(story, "gpu")
    on_demand(story, "plain")
    hidden = [order(story, "gpu") for _ in range(3)]
    plain = order(story, "plain")
    assert ids(pull(story, 1, not_jobs=("gpu",))) == [plain]
    assert ids(pull(story, 3, by=B)) == hidden


def test_the_best_of_several_jobs_are_pulled_together(story: Story) -> None:
    names = ("a", "b", "c")
    for name in names:
        on_demand(story, name)
    runs = [order(story, name) for _ in range(3) for name in names]
    assert ids(pull(story, 5)) == runs[:5]
    assert ids(pull(story, 50, by=B)) == runs[5:]


def test_a_start_in_the_future_is_not_pulled_before_it_has_come(story: Story) -> None:
    on_demand(story)
    run_id = order(story, at=story.world.now() + timedelta(seconds=60))
    assert pull(story) == []
    story.world.pass_time(61)
    assert ids(pull(story)) == [run_id]


def test_only_an_active_lease_pulls(story: Story) -> None:
    on_demand(story)
    order(story)
    story.world.leases.drain(A)
    assert pull(story, by=A) == pull(story, by="nobody/1") == []
    assert len(pull(story, by=B)) == 1


def test_a_run_is_running_once_its_attempt_has_said_that_it_began(story: Story) -> None:
    on_demand(story)
    run_id = order(story)
    (held,) = pull(story)
    assert story.status(run_id) == "CREATED"
    began = story.world.now()
    story.world.runs.progress(B, [Progress(held.key, held.claim_no, started_at=began)])
    assert story.status(run_id) == "CREATED"
    story.world.runs.progress(A, [Progress(held.key, held.claim_no, started_at=began)])
    assert (story.status(run_id), story.row(run_id)["started_at"]) == ("RUNNING", began)
    story.end(held)
    assert (story.status(run_id), story.row(run_id)["started_at"]) == ("COMPLETED", began)


def test_a_run_that_ends_before_it_was_told_that_it_began_says_when_it_did(story: Story) -> None:
    on_demand(story)
    done, failed = order(story), order(story)
    first, second = pull(story)
    began = story.world.now()
    answer = story.end(first, COMPLETED, started_at=began, result={"n": 2})
    assert answer.run_closed == "COMPLETED"
    story.end(second, FAILED, started_at=began, error_type="ValueError")
    assert (story.status(done), story.row(done)["result"]) == ("COMPLETED", {"n": 2})
    assert story.status(failed) == "FAILED"
    assert story.row(done)["started_at"] == story.row(failed)["started_at"] == began


def test_a_repeated_outcome_of_a_run_that_closed_at_once_is_known_as_one(story: Story) -> None:
    on_demand(story)
    order(story)
    (held,) = pull(story)
    first, again = story.end(held), story.end(held)
    assert (first.recording, first.run_closed) == ("recorded", "COMPLETED")
    assert (again.recording, again.run_closed) == ("repeated", "COMPLETED")
    assert story.end(held, by=B).recording == "superseded"


def test_the_last_run_of_a_job_and_its_recovery_are_told_of_runs_that_close_at_once(story: Story) -> None:
    on_demand(story)
    runs = [order(story) for _ in range(3)]
    failing, *others = pull(story)
    story.end(failing, FAILED, error_type="ValueError")
    (row,) = story.world.operator.jobs({}, "job")
    assert (row["last_status"], row["failures_in_a_row"]) == ("FAILED", 1)
    story.world.runs.record(A, [story.outcome(one) for one in others])
    (row,) = story.world.operator.jobs({}, "job")
    assert (row["last_run"], row["last_status"], row["failures_in_a_row"]) == (runs[2], "COMPLETED", 0)
    assert sorted(story.kinds()) == ["failed", "recovered"]


def test_a_retry_waits_and_is_pulled_again(story: Story) -> None:
    on_demand(story, max_attempts=2)
    run_id = order(story)
    (held,) = pull(story)
    assert story.end(held, FAILED, error_type="ValueError", retry_after_s=RETRY_S).retried
    assert (pull(story), story.status(run_id)) == ([], "RUNNING")
    story.world.pass_time(RETRY_S)
    (again,) = pull(story, by=B)
    assert (again.key.attempt, again.tries) == (2, 1)


def test_what_is_given_back_keeps_its_place(story: Story) -> None:
    on_demand(story)
    first, second = order(story), order(story)
    (held,) = pull(story, 1)
    story.end(held, PENDING)
    assert story.status(first) == "CREATED"
    (again,) = pull(story, 1, by=B)
    assert (again.key.run_id, again.key.attempt, again.claim_no) == (first, 1, 2)
    assert ids(pull(story, 1, by=B)) == [second]


def test_a_retry_of_what_had_been_given_back_goes_behind_what_came_before_it(story: Story) -> None:
    on_demand(story, max_attempts=2)
    order(story)
    story.world.pass_time(600)
    (held,) = pull(story, 1)
    story.end(held, PENDING)
    (held,) = pull(story, 1)
    before = order(story)
    story.world.pass_time(60)
    story.end(held, FAILED, retry_after_s=0.0)
    assert ids(pull(story, 1)) == [before]


def test_what_is_put_off_waits_and_goes_behind_what_came_meanwhile(story: Story) -> None:
    on_demand(story)
    first = order(story)
    (held,) = pull(story, 1)
    story.end(held, PENDING, delay_s=RETRY_S)
    second = order(story)
    story.world.pass_time(RETRY_S + 1)
    assert ids(pull(story, 1)) == [second]
    assert ids(pull(story, 1)) == [first]


def test_a_dead_nodes_work_goes_back_to_the_queue(story: Story) -> None:
    on_demand(story)
    run_id = order(story)
    (held,) = pull(story, by=A)
    story.kill(A)
    (again,) = pull(story, by=B)
    assert (again.key.run_id, again.key.attempt, again.takeovers) == (run_id, 2, 1)
    assert story.end(held, by=A).recording == "superseded"
    assert story.end(again, by=B).run_closed == "COMPLETED"


def test_what_is_stopped_is_not_pulled(story: Story) -> None:
    on_demand(story)
    run_id = order(story)
    assert story.world.operator.stop(run_id, "anna")
    assert (pull(story), story.status(run_id)) == ([], "STOPPED")


def test_what_nobody_can_run_is_closed_from_the_head_of_the_queue(story: Story) -> None:
    on_demand(story)
    run_id = order(story)
    story.world.pass_time(6)
    story.world.runs.no_eligible_node(A, [row.key for row in story.pending()], "nobody fits")
    assert story.statuses(run_id) == [AttemptStatus.FAILED]
    assert story.status(run_id) == "FAILED"


def test_no_more_is_pulled_than_a_limit_lets_start_and_others_fill_the_room(story: Story) -> None:
    on_demand(story, "narrow", max_running=2)
    on_demand(story, "plain")
    narrow = [order(story, "narrow") for _ in range(4)]
    plain = [order(story, "plain") for _ in range(2)]
    first = pull(story, 4)
    assert ids(first) == [*narrow[:2], *plain]
    assert pull(story, by=B) == []
    story.end(first[0])
    assert ids(pull(story, by=B)) == narrow[2:3]


def test_a_value_that_is_used_up_hides_no_other(story: Story) -> None:
    on_demand(story, concurrency_key="customer")
    runs = [order(story, customer=name) for name in "aaab"]
    first = pull(story)
    assert ids(first) == [runs[0], runs[3]]
    assert pull(story, by=B) == []
    story.end(first[0])
    assert ids(pull(story, by=B)) == [runs[1]]


def test_what_has_to_wait_for_a_place_leaves_the_room_to_what_is_behind_it(story: Story) -> None:
    story.world.author.put_pool("narrow", 1)
    on_demand(story, "one", pool="narrow")
    on_demand(story, "two", pool="narrow")
    on_demand(story, "keyed", concurrency_key="customer")
    on_demand(story, "plain")
    one = order(story, "one")
    order(story, "two")
    runs = [order(story, "keyed", customer=name) for name in "aaab"]
    plain = order(story, "plain")
    assert ids(pull(story, 4)) == [one, runs[0], runs[3], plain]


def test_what_waits_since_before_there_was_a_key_hides_no_other(story: Story) -> None:
    on_demand(story)
    on_demand(story, "plain")
    runs = [order(story, customer=name) for name in "aaab"]
    plain = order(story, "plain")
    on_demand(story, concurrency_key="customer")
    assert ids(pull(story, 3)) == [runs[0], runs[3], plain]


def test_a_pool_is_shared_by_what_is_pulled_and_what_has_an_owner(story: Story) -> None:
    story.world.author.put_pool("narrow", 2)
    on_demand(story, "pulled", pool="narrow")
    story.job("owned", pool="narrow")
    story.create("owned")
    assert len(story.claim_pending()) == 1
    runs = [order(story, "pulled") for _ in range(3)]
    assert ids(pull(story)) == runs[:1]
