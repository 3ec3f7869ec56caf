"""What every OperatorStore must do with work on demand: submit it, once by key, and tell how it goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.ports.specs import InvalidMark
from tests.contract.story import COMPLETED, FAILED, Story

ON_DEMAND: dict[str, Any] = {"every": None}


def submit(
    story: Story,
    job: str = "job",
    parameters: Mapping[str, Any] | None = None,
    key: str | None = None,
    priority: int = 0,
    at: datetime | None = None,
) -> int:
    return story.world.operator.submit(job, parameters or {}, key, priority, at, "ada")


def submit_many(
    story: Story,
    parameters: Sequence[Mapping[str, Any]],
    keys: Sequence[str] | None = None,
    job: str = "job",
    priority: int = 0,
    at: datetime | None = None,
) -> list[int]:
    return story.world.operator.submit_many(job, parameters, keys, priority, at, "ada")


def claim_keys(story: Story, run: int) -> list[datetime | None]:
    return [row["claim_key"] for row in story.attempts(run)]


def test_a_submission_is_a_run_of_its_own_that_anybody_may_pull(story: Story) -> None:
    story.job(**ON_DEMAND, sharding_total_count=2)
    run = submit(story, parameters={"path": "a.png"})
    row = story.row(run)
    assert (row["trigger_kind"], row["requested_by"], row["parameters"], row["status"]) == (
        "submit",
        "ada",
        {"path": "a.png"},
        "CREATED",
    )
    assert (row["flow"], row["job_version"]) == (f"run:{run}", story.version())
    attempts = story.attempts(run)
    assert [each["item"] for each in attempts] == [0, 1]
    assert [each["status"] for each in attempts] == ["PENDING", "PENDING"]
    assert claim_keys(story, run) == [each["not_before"] for each in attempts]


def test_a_submission_goes_by_the_last_versions_that_are_sound(story: Story) -> None:
    story.job(**ON_DEMAND)
    sound, sound_impl = story.version(), story.impl_version()
    story.world.author.put_job("job", priority=5)
    story.world.specs.mark_invalid([InvalidMark("job", story.version(), "no node knows it")])
    story.world.author.put_impl("impl", description="newer")
    row = story.row(submit(story))
    assert (row["job_version"], row["priority"]) == (sound, 0)
    assert row["impl_version"] == story.impl_version() != sound_impl
    story.world.specs.mark_invalid([InvalidMark("impl", story.impl_version(), "no such thing", of_impl=True)])
    row = story.row(submit(story))
    assert (row["job_version"], row["impl_version"]) == (sound, sound_impl)


def test_a_job_of_which_no_version_is_sound_takes_no_submission(story: Story) -> None:
    story.job(**ON_DEMAND)
    story.world.specs.mark_invalid([InvalidMark("impl", story.impl_version(), "no such thing", of_impl=True)])
    with pytest.raises(OrderRefused, match="impl"):
        submit(story)


def test_a_point_of_priority_makes_up_for_a_minute_of_waiting(story: Story) -> None:
    story.job(**ON_DEMAND, priority=3)
    own, given = submit(story), submit(story, priority=-100)
    for run, priority in ((own, 3), (given, -100)):
        (attempt,) = story.attempts(run)
        assert story.row(run)["priority"] == priority
        assert attempt["claim_key"] == attempt["not_before"] - timedelta(minutes=priority)


def test_a_submission_for_later_waits_until_then(story: Story) -> None:
    story.job(**ON_DEMAND)
    later = story.world.now() + timedelta(hours=1)
    run = submit(story, at=later)
    assert story.row(run)["fire_time"] == later
    assert [each["not_before"] for each in story.attempts(run)] == [later]


def test_a_submission_for_an_instant_that_is_past_may_start_now(story: Story) -> None:
    story.job(**ON_DEMAND)
    before = story.world.now()
    run = submit(story, at=before - timedelta(hours=1))
    assert story.row(run)["fire_time"] == before - timedelta(hours=1)
    assert [each["not_before"] >= before for each in story.attempts(run)] == [True]


def test_a_scheduled_jobs_submissions_are_pulled_and_its_triggers_have_owners(story: Story) -> None:
    story.job()
    assert claim_keys(story, submit(story)) != [None]
    assert claim_keys(story, story.world.operator.trigger("job", {}, None, None, "ada")) == [None]


def test_what_is_pinned_to_nodes_is_not_pulled(story: Story) -> None:
    story.job(**ON_DEMAND, sharding_strategy="each_node")
    run = submit(story)
    assert claim_keys(story, run) == [None, None]
    assert [each["pinned_node"] for each in story.attempts(run)] == ["node-a", "node-b"]


def test_a_key_given_again_is_answered_with_the_first_run(story: Story) -> None:
    story.job("one", **ON_DEMAND)
    story.job("two", **ON_DEMAND)
    first = submit(story, "one", {"n": 1}, key="k")
    assert submit(story, "one", {"n": 2}, key="k") == first
    assert submit(story, "two", {"n": 2}, key="k") != first
    assert story.row(first)["idempotency_key"] == "k"
    assert story.row(first)["parameters"] == {"n": 1}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"job": "nobody"}, "nobody"),
        ({"job": "off"}, "off is disabled: enable it"),
        ({"priority": 101}, "priority 101"),
        ({"priority": -40_000}, "priority"),
        ({"key": ""}, "idempotency key"),
        ({"key": "k" * 201}, "idempotency key"),
        ({"key": "k\0"}, "key cannot be stored|NUL"),
        ({"parameters": {"text": "\0"}}, "u0000"),
        ({"parameters": {"number": float("nan")}}, "JSON|NaN"),
        ({"parameters": {"text": "x" * 100}}, "112 bytes of JSON, and job takes 100"),
    ],
)
def test_what_is_wrong_with_a_submission_is_said(story: Story, wrong: dict[str, Any], said: str) -> None:
    story.job(**ON_DEMAND, parameters_limit=100)
    story.job("off", **ON_DEMAND, enabled=False)
    with pytest.raises(OrderRefused, match=said):
        submit(story, **wrong)


# Many


def test_many_are_submitted_in_the_order_given(story: Story) -> None:
    story.job(**ON_DEMAND, sharding_total_count=2)
    runs = submit_many(story, [{"n": n} for n in range(5)], priority=7)
    rows = [story.row(run) for run in runs]
    assert [row["parameters"] for row in rows] == [{"n": n} for n in range(5)]
    assert {(row["trigger_kind"], row["priority"], row["requested_by"]) for row in rows} == {
        ("submit", 7, "ada")
    }
    assert all(story.statuses(run) == ["PENDING", "PENDING"] for run in runs)
    assert all(None not in claim_keys(story, run) for run in runs)


def test_of_many_those_with_a_key_that_is_known_are_answered_with_the_first_run(story: Story) -> None:
    story.job(**ON_DEMAND)
    known = submit(story, key="b")
    first, second, third = submit_many(story, [{"n": 1}, {"n": 2}, {"n": 3}], ["a", "b", "a"])
    assert (second, third) == (known, first)
    assert story.row(first)["parameters"] == {"n": 1}
    assert submit_many(story, [{}, {}, {}], ["c", "a", "b"])[1:] == [first, known]


def test_one_that_is_wrong_refuses_all_and_is_named_by_its_place(story: Story) -> None:
    story.job(**ON_DEMAND, parameters_limit=20)
    with pytest.raises(OrderRefused, match=r"submission 2: .* bytes of JSON"):
        submit_many(story, [{}, {"text": "x" * 20}, {}], ["a", "b", "c"])
    assert story.world.operator.running_items() == []
    with pytest.raises(OrderRefused, match="2 submissions and 1 keys"):
        submit_many(story, [{}, {}], ["a"])
    with pytest.raises(OrderRefused, match="nobody"):
        submit_many(story, [], job="nobody")
    assert submit_many(story, []) == []


# Waiting


def test_the_states_of_runs_are_told_in_the_order_asked_for(story: Story) -> None:
    story.job()
    done = story.run_to(COMPLETED, result={"n": 1})
    failed = story.run_to(FAILED, error_type="ValueError", error_message="no such file")
    open_run = story.create().run_id
    assert open_run is not None
    states = story.world.operator.run_states([open_run, failed, 123_456_789, done])
    assert [row["id"] for row in states] == [open_run, failed, done]
    assert [row["status"] for row in states] == ["RUNNING", "FAILED", "COMPLETED"]
    assert states[2]["result"] == {"n": 1}
    assert (states[1]["failed_item"], states[1]["error_type"], states[1]["error_message"]) == (
        0,
        "ValueError",
        "no such file",
    )
    assert states[2]["finished_at"] >= states[2]["started_at"]
    assert set(states[0]) == {
        "id", "job_name", "status", "reason", "result", "error_type", "error_message", "failed_item", "started_at",
        "finished_at",
    }  # fmt: skip
    assert states[0]["failed_item"] is None
    assert story.world.operator.run_states([]) == []


def test_the_error_of_a_run_is_that_of_the_first_item_whose_last_attempt_failed(story: Story) -> None:
    story.job(sharding_total_count=3, max_attempts=2)
    first, second, third = story.create().claimed
    story.end(first, FAILED, retry_after_s=0.0, error_type="Once")
    story.end(third, FAILED, error_type="Third", error_message="three")
    story.end(second, FAILED, error_type="Second", error_message="two")
    (again,) = story.claim_pending()
    story.end(again)
    (state,) = story.world.operator.run_states([first.key.run_id])
    assert (state["status"], state["failed_item"], state["error_type"]) == ("FAILED", 1, "Second")
