"""What every RunStore must do about limits shared by nodes (rule 16): however attempts come to start and to end, never
more are RUNNING than a limit allows, and what it allows is to be had."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.runs import Claimed
from shardkeeper.ports.specs import InvalidMark
from tests.contract.story import COMPLETED, FAILED, PENDING, A, B, Story


def submitted(story: Story, job: str = "job", **parameters: Any) -> int:
    """A triggered run of the job, PENDING; its id."""
    return story.world.operator.trigger(job, parameters, None, None, "anna")


def pooled(story: Story, *jobs: str, size: int, **columns: Any) -> None:
    story.world.author.put_pool("db", size)
    for job in jobs:
        story.job(job, pool="db", overlap="allow", **columns)


def of(story: Story, run_id: int) -> list[AttemptKey]:
    """The run's attempts that are not over."""
    return [
        AttemptKey(run_id, row["fire_time"], row["item"], row["attempt"])
        for row in story.attempts(run_id)
        if row["status"] in ("PENDING", "RUNNING")
    ]


def take(story: Story, *run_ids: int, by: str = A) -> list[Claimed]:
    """Claim whatever of these runs may be had, the first ones first."""
    return story.claim([key for run_id in run_ids for key in of(story, run_id)], by)


def runs_of(claimed: list[Claimed]) -> list[int]:
    return [one.key.run_id for one in claimed]


def test_of_jobs_that_share_a_pool_no_more_run_on_all_nodes_than_its_size(story: Story) -> None:
    pooled(story, "one", "two", size=2)
    first, second, third, fourth = (submitted(story, job) for job in ("one", "two", "one", "two"))
    assert runs_of(take(story, first, by=A)) == [first]
    assert runs_of(take(story, second, third, by=B)) == [second]
    assert take(story, third, fourth, by=A) == []
    assert story.statuses(third) == ["PENDING"]


def test_of_one_call_the_longest_waiting_get_what_there_is(story: Story) -> None:
    pooled(story, "one", "two", size=2)
    waiting = [submitted(story, job) for job in ("one", "two", "one", "two")]
    assert sorted(runs_of(take(story, *reversed(waiting)))) == waiting[:2]


def test_what_has_no_limit_starts_beside_what_waits_for_one(story: Story) -> None:
    pooled(story, "one", size=0)
    story.job("free", overlap="allow")
    held, free = submitted(story, "one"), submitted(story, "free")
    assert runs_of(take(story, held, free)) == [free]


def test_a_pool_of_size_0_holds_everything_until_it_is_made_larger(story: Story) -> None:
    pooled(story, "one", size=0)
    run = submitted(story, "one")
    assert take(story, run) == []
    assert story.pending() == []
    story.world.author.put_pool("db", 1)
    assert [row.key.run_id for row in story.pending()] == [run]
    assert runs_of(take(story, run)) == [run]


def test_a_pool_made_smaller_lets_nothing_start_until_enough_have_ended(story: Story) -> None:
    pooled(story, "one", size=3)
    runs = [submitted(story, "one") for _ in range(4)]
    held = take(story, *runs)
    assert len(held) == 3
    story.world.author.put_pool("db", 2)
    story.end(held[0])
    assert take(story, runs[3]) == []
    story.end(held[1])
    assert runs_of(take(story, runs[3])) == [runs[3]]


def test_no_more_attempts_of_a_job_run_than_max_running(story: Story) -> None:
    story.job(max_running=2, overlap="allow")
    runs = [submitted(story) for _ in range(3)]
    assert len(take(story, *runs[:1], by=A)) == 1
    assert len(take(story, *runs[1:], by=B)) == 1


def test_the_items_of_one_run_count_each(story: Story) -> None:
    story.job(max_running=2, sharding_total_count=5, overlap="allow")
    run = submitted(story)
    assert [one.key.item for one in take(story, run)] == [0, 1]


def test_attempts_with_the_same_value_of_the_key_count_together(story: Story) -> None:
    story.job(concurrency_key="account", overlap="allow")
    first, second, other = (submitted(story, account=account) for account in ("a", "a", "b"))
    held = take(story, first, second, other)
    assert sorted(runs_of(held)) == [first, other]
    assert story.attempts(first)[0]["concurrency_value"] == "a"
    story.end(held[0])
    story.end(held[1])
    assert runs_of(take(story, second, by=B)) == [second]


def test_the_value_of_the_key_is_the_jobs_where_the_run_has_none_and_the_impls_where_that_has_none(
    story: Story,
) -> None:
    story.world.author.put_impl(
        "impl", kind="python", entrypoint="tasks:Task", parameters={"account": "i", "region": 1}
    )
    story.job(concurrency_key="account", parameters={"account": "j"}, overlap="allow")
    story.job("plain", concurrency_key="region", overlap="allow")
    of_job, of_run, of_impl = submitted(story), submitted(story, account="r"), submitted(story, "plain")
    found = [story.attempts(run)[0]["concurrency_value"] for run in (of_job, of_run, of_impl)]
    assert found == ["j", "r", "1"]
    assert take(story, of_job) != []
    assert take(story, submitted(story, account="j")) == []


def test_without_a_value_of_the_key_nothing_is_counted_by_it(story: Story) -> None:
    story.job(concurrency_key="account", overlap="allow")
    assert len(take(story, submitted(story), submitted(story, account=None), submitted(story))) == 3


def test_a_value_of_any_length_and_kind_counts(story: Story) -> None:
    story.job(concurrency_key="account", overlap="allow")
    for value in ("x" * 100_000, {"id": [1, None]}, 1.5, True, ""):
        assert len(take(story, submitted(story, account=value), submitted(story, account=value))) == 1, value


def test_several_of_one_value_may_run_where_the_job_says_so(story: Story) -> None:
    story.job(concurrency_key="account", max_running_per_key=2, max_running=3, overlap="allow")
    same = [submitted(story, account="a") for _ in range(3)]
    others = [submitted(story, account=account) for account in ("b", "c")]
    assert sorted(runs_of(take(story, *same, *others))) == [*same[:2], others[0]]


def test_a_rate_lets_so_many_start_at_once_and_more_as_time_passes(story: Story) -> None:
    story.job(rate_limit=3, rate_period=timedelta(minutes=1), overlap="allow")
    runs = [submitted(story) for _ in range(8)]
    held = take(story, *runs, by=A)
    assert runs_of(held) == runs[:3]
    assert take(story, *runs[3:], by=B) == []
    for one in held:
        story.end(one)
    assert take(story, *runs[3:], by=B) == [], "a start is a start, whatever became of it"
    story.world.pass_time(21)
    assert runs_of(take(story, *runs[3:], by=B)) == [runs[3]]
    story.world.pass_time(3600)
    assert runs_of(take(story, *runs[4:], by=B)) == runs[4:7], "what was not used is not saved up"


def test_a_rate_that_is_made_slower_or_quicker_holds_from_the_next_claim_on(story: Story) -> None:
    story.job(rate_limit=1, rate_period=timedelta(days=1), overlap="allow")
    first, second, third = (submitted(story) for _ in range(3))
    assert runs_of(take(story, first, second)) == [first]
    story.job(rate_period=timedelta(seconds=10))
    assert take(story, second) == []
    story.world.pass_time(11)
    assert runs_of(take(story, second, third)) == [second]


def test_all_limits_hold_together(story: Story) -> None:
    pooled(story, "one", "two", size=3, max_running=2)
    runs = [submitted(story, job) for job in ("one", "one", "one", "two", "two")]
    assert sorted(runs_of(take(story, *runs))) == [runs[0], runs[1], runs[3]]


@pytest.mark.parametrize("ending", ["outcome", "failure", "give-back", "takeover"])
def test_however_an_attempt_ends_its_place_is_free(story: Story, ending: str) -> None:
    pooled(story, "one", size=1, concurrency_key="account", max_running=1, max_attempts=2)
    first, second = submitted(story, "one", account="a"), submitted(story, "one", account="a")
    (held,) = take(story, first)
    assert take(story, second, by=B) == []
    match ending:
        case "outcome":
            story.end(held, COMPLETED)
        case "failure":
            story.end(held, FAILED, retry_after_s=3600.0)
        case "give-back":
            story.end(held, PENDING)
        case "takeover":
            story.kill(A)
    assert runs_of(take(story, second, by=B)) == [second]


@pytest.mark.parametrize("ending", ["retry", "give-back", "takeover"])
def test_the_next_attempt_counts_as_the_one_before_did(story: Story, ending: str) -> None:
    story.job(concurrency_key="account", max_attempts=2, overlap="allow")
    first, second = submitted(story, account="a"), submitted(story, account="a")
    (held,) = take(story, first)
    if ending == "retry":
        story.end(held, FAILED, retry_after_s=0.0)
    elif ending == "give-back":
        story.end(held, PENDING)
    else:
        story.kill(A)
    assert story.attempts(first)[-1]["concurrency_value"] == "a"
    assert runs_of(take(story, first, by=B)) == [first]
    assert take(story, second, by=B) == []


def test_a_stopped_run_frees_its_place_when_its_attempt_has_ended(story: Story) -> None:
    pooled(story, "one", size=1)
    first, second = submitted(story, "one"), submitted(story, "one")
    (held,) = take(story, first)
    story.world.operator.stop(first, "anna")
    assert take(story, second) == []
    story.end(held, COMPLETED)
    assert runs_of(take(story, second)) == [second]


def test_what_waits_for_a_limit_can_be_stopped(story: Story) -> None:
    pooled(story, "one", size=0)
    run = submitted(story, "one")
    story.world.operator.stop(run, "anna")
    assert story.status(run) == "STOPPED"


def test_a_scheduled_fire_of_a_job_with_limits_is_created_pending_and_then_claimed(story: Story) -> None:
    story.job(max_running=1, sharding_total_count=2)
    request = story.request()
    answer = story.ask(request)
    assert (answer.outcome, answer.claimed) == ("created", ())
    assert story.statuses(answer.run_id) == ["PENDING", "PENDING"]
    assert answer.run_id is not None
    (held,) = take(story, answer.run_id)
    assert (held.key.item, held.claim_no) == (0, 1)
    assert story.statuses(answer.run_id) == ["RUNNING", "PENDING"]
    assert story.status(answer.run_id) == "RUNNING"
    again = story.ask(request)
    assert (again.outcome, again.claimed) == ("exists", ())
    assert take(story, answer.run_id) == [held], "what is RUNNING already is answered again, and counts once"


def test_a_fire_that_stands_is_not_claimed_past_its_limits_by_asking_to_create_it(story: Story) -> None:
    story.job(max_running=1, sharding_total_count=2)
    request = story.request()
    story.ask(request, A)
    assert story.ask(request, B).claimed == ()


def test_what_fits_no_more_is_not_shown_and_hides_nothing_behind_it(story: Story) -> None:
    pooled(story, "one", size=1)
    story.job("free", overlap="allow")
    held = [submitted(story, "one") for _ in range(4)]
    take(story, held[0])
    free = submitted(story, "free")
    assert [row.key.run_id for row in story.pending(limit=2)] == [free]


def test_a_value_that_is_used_up_hides_no_other(story: Story) -> None:
    story.job(concurrency_key="account", overlap="allow")
    same = [submitted(story, account="a") for _ in range(4)]
    take(story, same[0])
    other = submitted(story, account="b")
    assert [row.key.run_id for row in story.pending(limit=2)] == [other]


def test_what_waits_is_shown_again_when_there_is_room(story: Story) -> None:
    story.job(max_running=1, overlap="allow")
    first, second = submitted(story), submitted(story)
    (held,) = take(story, first)
    assert story.pending() == []
    story.end(held)
    assert [row.key.run_id for row in story.pending()] == [second]


def test_a_limit_that_is_lowered_holds_for_what_waits_under_an_older_version(story: Story) -> None:
    story.job(max_running=3, overlap="allow")
    runs = [submitted(story) for _ in range(3)]
    story.job(max_running=1)
    assert runs_of(take(story, *runs)) == [runs[0]]


def test_a_limit_that_is_new_holds_for_what_waits_already(story: Story) -> None:
    story.job(overlap="allow")
    runs = [submitted(story, account="a") for _ in range(3)]
    story.job(concurrency_key="account")
    assert runs_of(take(story, *runs)) == [runs[0]]


def test_a_limit_that_is_taken_away_holds_nothing_any_more(story: Story) -> None:
    story.job(max_running=1, overlap="allow")
    runs = [submitted(story) for _ in range(3)]
    story.job(max_running=None)
    assert runs_of(take(story, *runs)) == runs
    assert len(story.create().claimed) == 1


def test_a_job_that_moves_to_another_pool_leaves_there_what_runs(story: Story) -> None:
    """It uses what the old pool stands for until it ends."""
    pooled(story, "one", "two", size=1)
    story.world.author.put_pool("other", 1)
    first, second = submitted(story, "one"), submitted(story, "one")
    (held,) = take(story, first)
    story.job("one", pool="other")
    assert runs_of(take(story, second)) == [second]
    third = submitted(story, "two")
    assert take(story, third) == []
    story.end(held)
    assert runs_of(take(story, third)) == [third]


def test_a_version_that_is_marked_invalid_limits_nothing(story: Story) -> None:
    story.world.author.put_pool("shut", 0)
    story.job(max_running=1, overlap="allow")
    run = submitted(story)
    story.job(pool="shut")
    story.world.specs.mark_invalid([InvalidMark("job", story.version(), "no node knows it")])
    assert [row.key.run_id for row in story.pending()] == [run]
    assert runs_of(take(story, run)) == [run]


def test_of_a_deleted_job_what_is_still_to_run_runs(story: Story) -> None:
    story.job(max_running=1, overlap="allow", sharding_total_count=2)
    run = submitted(story)
    (held,) = take(story, run)
    story.world.author.delete_job("job")
    assert [one.key.item for one in take(story, run)] == [0, 1]
    assert held.key.item == 0


def test_pools_are_listed_with_what_runs_in_them_and_what_waits(story: Story) -> None:
    story.world.author.put_pool("gpu", 1)
    story.world.author.put_pool("idle", 2)
    story.job(every=None, pool="gpu")
    for _ in range(3):
        story.world.operator.submit("job", {}, None, 0, None, "ada")
    assert len(story.world.runs.pull(A, 10, [])) == 1
    assert story.world.operator.pools() == [
        {"name": "gpu", "size": 1, "running": 1, "waiting": 2},
        {"name": "idle", "size": 2, "running": 0, "waiting": 0},
    ]
