"""What every store must do: jobs that are started by the end of others' runs, as those close (rule 5)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest

from shardkeeper.domain.runs import AttemptKey, AttemptStatus, Phase
from shardkeeper.ports.operator import Row, RunFilter
from shardkeeper.ports.runs import Claimed, ValueRow
from tests.contract.story import COMPLETED, FAILED, STOPPED, A, B, Story

REFUSED = (ValueError, psycopg.Error)
"""What an author of the twin, or one in SQL, is refused with."""


def following(story: Story, name: str, *jobs: str, on: str | None = None, **columns: Any) -> None:
    """Insert a job that follows these."""
    follows: dict[str, Any] = {"jobs": list(jobs)} | ({} if on is None else {"on": on})
    story.world.author.put_job(name, impl_spec="impl", follows=follows, **columns)


def runs(story: Story, job: str) -> list[Row]:
    """Oldest first."""
    return sorted(story.world.operator.runs(RunFilter(job=job)), key=lambda row: int(row["id"]))


def only_run(story: Story, job: str) -> Row:
    (row,) = runs(story, job)
    return story.row(row["id"])


def take(story: Story, run_id: int, by: str = A) -> Claimed:
    """Claim whatever may be claimed; the attempt of this run, which has one item."""
    story.claim_pending(by)
    (row,) = story.attempts(run_id)
    (held,) = story.claim([AttemptKey(run_id, row["fire_time"], row["item"], row["attempt"])], by)
    return held


def triggered(story: Story, job: str, status: AttemptStatus = COMPLETED, **columns: Any) -> int:
    """A run that somebody ordered, ended with ``status``; its id."""
    run_id = story.world.operator.trigger(job, {}, None, None, "me")
    story.end(take(story, run_id), status, **columns)
    return run_id


@pytest.fixture
def two(story: Story) -> Story:
    """Jobs ``a`` and ``b``, every ten seconds."""
    story.job("a")
    story.job("b")
    return story


def test_a_completed_run_starts_what_follows_its_job_and_tells_it_its_result_and_values(two: Story) -> None:
    following(two, "c", "a", sharding_total_count=2)
    held = two.running("a")
    two.end(held, result=7, values=(ValueRow("seoul", {"index": 1.5}, 2.0), ValueRow("busan", None, 1.0)))
    run = only_run(two, "c")
    assert (run["trigger_kind"], run["status"], run["sharding_total_count"]) == ("follow_up", "CREATED", 2)
    assert (run["parent_run"], run["fire_time"]) == (held.key.run_id, held.key.fire_time)
    assert run["flow"] == f"at:{held.key.fire_time.isoformat(timespec='microseconds')}"
    assert run["requested_by"] is None
    assert run["parameters"] == {
        "follow_up": {
            "a": {
                "run_id": held.key.run_id,
                "status": "COMPLETED",
                "result": 7,
                "values": [
                    {"item": 0, "key": "busan", "value": None, "weight": 1.0},
                    {"item": 0, "key": "seoul", "value": {"index": 1.5}, "weight": 2.0},
                ],
            }
        }
    }
    assert two.statuses(run["id"]) == ["PENDING", "PENDING"]
    assert [each.key.run_id for each in two.claim_pending(B)] == [run["id"], run["id"]]


def test_a_job_that_nothing_follows_starts_nothing(two: Story) -> None:
    following(two, "c", "a")
    two.run_to(COMPLETED, "b")
    assert runs(two, "c") == []


@pytest.mark.parametrize(
    ("on", "ends", "starts"),
    [
        (None, COMPLETED, True),
        (None, FAILED, False),
        ("completed", STOPPED, False),
        ("failed", FAILED, True),
        ("failed", COMPLETED, False),
        ("failed", STOPPED, False),
        ("ended", COMPLETED, True),
        ("ended", FAILED, True),
        ("ended", STOPPED, True),
    ],
)
def test_which_end_starts_it_is_as_the_follower_asks_for(
    two: Story, on: str | None, ends: AttemptStatus, starts: bool
) -> None:
    following(two, "c", "a", on=on)
    run_id = two.run_to(ends, "a")
    assert [row["parent_run"] for row in runs(two, "c")] == ([run_id] if starts else [])
    if starts:
        told = only_run(two, "c")["parameters"]["follow_up"]["a"]
        assert (told["run_id"], told["status"]) == (run_id, ends)


@pytest.mark.parametrize("on", [None, "ended"])
def test_whoever_follows_several_waits_for_all_of_one_fire(two: Story, on: str | None) -> None:
    following(two, "c", "a", "b", on=on)
    two.run_to(COMPLETED, "b")
    fire = two.world.now()
    first = two.ask(two.request("a", fire)).claimed[0]
    second = two.ask(two.request("b", fire)).claimed[0]
    two.end(first, result=1)
    assert runs(two, "c") == []
    two.end(second, result=2)
    run = only_run(two, "c")
    assert (run["parent_run"], run["fire_time"]) == (second.key.run_id, fire)
    told = run["parameters"]["follow_up"]
    assert {job: (each["run_id"], each["result"]) for job, each in told.items()} == {
        "a": (first.key.run_id, 1),
        "b": (second.key.run_id, 2),
    }


def test_one_that_failed_keeps_whoever_waits_for_completion_until_its_rerun_completes(two: Story) -> None:
    following(two, "c", "a", "b")
    fire = two.world.now()
    first = two.ask(two.request("a", fire)).claimed[0]
    second = two.ask(two.request("b", fire)).claimed[0]
    two.end(first, FAILED)
    two.end(second)
    assert runs(two, "c") == []
    rerun = two.world.operator.rerun(first.key.run_id, {}, False, "me")
    assert two.row(rerun)["flow"] == f"at:{fire.isoformat(timespec='microseconds')}"
    two.end(take(two, rerun))
    told = only_run(two, "c")["parameters"]["follow_up"]
    assert (told["a"]["run_id"], told["b"]["run_id"]) == (rerun, second.key.run_id)


def test_after_reruns_it_is_started_again_once_all_have_ended_again(two: Story) -> None:
    following(two, "c", "a", "b", on="ended")
    fire = two.world.now()
    ended = [two.ask(two.request(job, fire)).claimed[0] for job in ("a", "b")]
    for each in ended:
        two.end(each)
    for count, each in enumerate(ended):
        rerun = two.world.operator.rerun(each.key.run_id, {}, False, "me")
        two.end(take(two, rerun))
        assert len(runs(two, "c")) == 1 + count


def test_each_failure_starts_whoever_follows_any_failure(two: Story) -> None:
    following(two, "c", "a", "b", on="failed")
    fire = two.world.now()
    for job in ("a", "b"):
        two.end(two.ask(two.request(job, fire)).claimed[0], FAILED)
    assert [list(two.row(row["id"])["parameters"]["follow_up"]) for row in runs(two, "c")] == [["a"], ["b"]]


def test_a_diamond_of_jobs_runs_through_from_one_trigger_in_one_flow(story: Story) -> None:
    story.job("top", every=None)
    following(story, "left", "top")
    following(story, "right", "top")
    following(story, "bottom", "left", "right")
    first = triggered(story, "top", result=1)
    left, right = only_run(story, "left"), only_run(story, "right")
    held = {each.key.run_id: each for each in story.claim_pending()}
    story.end(held[left["id"]], result=2)
    assert runs(story, "bottom") == []
    story.end(held[right["id"]], result=3)
    bottom = only_run(story, "bottom")
    assert {left["flow"], right["flow"], bottom["flow"]} == {f"run:{first}"}
    assert {job: told["result"] for job, told in bottom["parameters"]["follow_up"].items()} == {
        "left": 2,
        "right": 3,
    }
    assert [each["id"] for each in story.row(first)["follow_ups"]] == [left["id"], right["id"]]
    for each in (left, right):
        assert [one["id"] for one in story.row(each["id"])["follow_ups"]] == [bottom["id"]]
    assert story.row(bottom["id"])["follow_ups"] == []
    assert {job: follows["jobs"] for job, follows in story.world.operator.following().items()} == {
        "left": ["top"],
        "right": ["top"],
        "bottom": ["left", "right"],
    }


def test_a_stopped_run_of_which_nothing_was_claimed_starts_what_follows_its_end(two: Story) -> None:
    following(two, "c", "a", on="ended")
    run_id = two.world.operator.trigger("a", {}, None, None, "me")
    two.world.operator.stop(run_id, "me")
    assert only_run(two, "c")["parameters"]["follow_up"]["a"]["status"] == "STOPPED"


def test_what_follows_a_run_that_was_stopped_before_its_time_does_not_begin_before_its_own(
    two: Story,
) -> None:
    following(two, "c", "a", on="ended")
    later = two.world.now() + timedelta(hours=1)
    run_id = two.world.operator.submit("a", {}, None, 0, later, "me")
    two.world.operator.stop(run_id, "me")
    assert only_run(two, "c")["fire_time"] <= two.world.now()
    assert take(two, only_run(two, "c")["id"]).claim_no == 1


def test_a_run_that_is_rolled_back_first_starts_its_followers_when_it_closes(two: Story) -> None:
    following(two, "c", "a", on="failed")
    two.end(two.running("a"), FAILED, phase=Phase.CALCULATE, compensable=True)
    assert runs(two, "c") == []
    (undoing,) = two.claim_pending()
    two.end(undoing)
    assert len(runs(two, "c")) == 1


def test_values_that_take_too_much_are_left_out(two: Story) -> None:
    following(two, "c", "a")
    many = tuple(ValueRow(f"{number}", "x" * 100_000, 1.0) for number in range(11))
    held = two.running("a")
    two.end(held, result=7, values=many)
    assert only_run(two, "c")["parameters"]["follow_up"]["a"] == {
        "run_id": held.key.run_id,
        "status": "COMPLETED",
        "result": 7,
        "values_left_out": True,
    }


def test_results_that_take_too_much_are_left_out(two: Story) -> None:
    following(two, "c", "a", "b", on="ended")
    fire = two.world.now()
    for job in ("a", "b"):
        two.end(two.ask(two.request(job, fire)).claimed[0], result="x" * 600_000)
    told = only_run(two, "c")["parameters"]["follow_up"]
    assert [(each["result"], each["result_left_out"]) for each in told.values()] == [(None, True)] * 2


def test_of_a_disabled_follower_a_record_says_why_it_was_not_started(two: Story) -> None:
    following(two, "c", "a", enabled=False)
    run_id = two.run_to(COMPLETED, "a")
    row = only_run(two, "c")
    assert (row["status"], row["trigger_kind"], row["parent_run"]) == ("SKIPPED", "follow_up", run_id)
    assert "c is disabled" in row["reason"]
    assert row["shard_runs"] == []


def test_a_follower_for_which_no_node_is_eligible_is_skipped_and_its_parent_closes(two: Story) -> None:
    following(two, "c", "a", sharding_strategy="each_node", node_selector={"zone": "moon"})
    assert two.end(two.running("a")).run_closed == "COMPLETED"
    row = only_run(two, "c")
    assert (row["status"], row["reason"].split(":")[0]) == ("SKIPPED", "no node is eligible now")


def test_a_follower_on_each_node_is_pinned_to_those_that_are_there(two: Story) -> None:
    following(two, "c", "a", sharding_strategy="each_node")
    two.run_to(COMPLETED, "a")
    assert [row["pinned_node"] for row in only_run(two, "c")["shard_runs"]] == ["node-a", "node-b"]


def test_a_deleted_follower_is_not_started(two: Story) -> None:
    following(two, "c", "a")
    two.world.author.delete_job("c")
    two.run_to(COMPLETED, "a")
    assert runs(two, "c") == []


def test_a_job_that_no_longer_follows_is_not_started(two: Story) -> None:
    following(two, "c", "a")
    following(two, "c", "b")
    two.run_to(COMPLETED, "a")
    assert runs(two, "c") == []
    two.run_to(COMPLETED, "b")
    assert len(runs(two, "c")) == 1


def test_a_pause_does_not_hold_follow_ups_nor_does_a_live_run(two: Story) -> None:
    following(two, "c", "a")
    two.world.operator.pause("c", None, None, "me")
    two.run_to(COMPLETED, "a")
    two.run_to(COMPLETED, "a")
    assert [row["status"] for row in runs(two, "c")] == ["CREATED", "CREATED"]


def test_a_job_cannot_follow_one_that_there_is_not(two: Story) -> None:
    with pytest.raises(REFUSED, match="no such job"):
        following(two, "c", "a", "nobody")
    assert two.world.operator.jobs(name="c") == []


@pytest.mark.parametrize("length", [1, 2, 4])
def test_circles_of_any_length_are_refused_and_nothing_is_changed(story: Story, length: int) -> None:
    story.job("job0", every=None)
    for number in range(1, length):
        following(story, f"job{number}", f"job{number - 1}")
    before = story.version("job0")
    with pytest.raises(REFUSED, match=r"follow itself|in a circle"):
        following(story, "job0", f"job{length - 1}")
    assert story.version("job0") == before
    assert story.world.operator.jobs(name="job0")[0]["follows"] == {}


def test_jobs_that_follow_one_another_may_come_in_one_transaction_in_any_order(story: Story) -> None:
    story.job("first")
    with story.world.author.transaction():
        following(story, "c", "b")
        following(story, "b", "a")
        story.job("a")
    story.run_to(COMPLETED, "a")
    assert len(runs(story, "b")) == 1


def test_a_circle_within_one_transaction_is_refused_as_a_whole(story: Story) -> None:
    story.job("first")

    def circle() -> None:
        with story.world.author.transaction():
            following(story, "b", "c")
            following(story, "c", "b")

    with pytest.raises(REFUSED, match="in a circle"):
        circle()
    assert [row["name"] for row in story.world.operator.jobs()] == ["first"]


def test_a_followed_job_is_deleted_only_with_what_follows_it(two: Story) -> None:
    following(two, "c", "a", "b")
    following(two, "d", "a")
    with pytest.raises(REFUSED, match="a cannot go: c, d follow it"):
        two.world.author.delete_job("a")
    assert two.world.operator.jobs(name="a")
    with two.world.author.transaction():
        two.world.author.delete_job("a")
        following(two, "c", "b")
        two.world.author.delete_job("d")
    assert [row["name"] for row in two.world.operator.jobs()] == ["b", "c"]


def test_applying_is_refused_in_the_same_words(two: Story) -> None:
    from_file = {"name": "c", "impl_spec": "impl", "follows": {"jobs": ["nobody"]}}
    with pytest.raises(Exception, match="c follows 'nobody', and there is no such job"):
        two.world.operator.apply([], [from_file], "me")


def test_a_rerun_keeps_parameters_priority_and_flow(story: Story) -> None:
    story.job("a", every=timedelta(seconds=10), priority=5)
    run_id = story.world.operator.trigger("a", {"day": 1, "dry": True}, None, None, "me")
    story.job("a", priority=7)
    story.end(take(story, run_id), FAILED)
    rerun = story.row(story.world.operator.rerun(run_id, {"dry": False}, False, "me"))
    assert rerun["parameters"] == {"day": 1, "dry": False}
    assert (rerun["priority"], rerun["flow"], rerun["rerun_of"]) == (5, f"run:{run_id}", run_id)
    story.end(take(story, rerun["id"]), FAILED)
    again = story.row(story.world.operator.rerun(rerun["id"], {}, False, "me"))
    assert again["flow"] == f"run:{run_id}"
