"""What every OperatorStore must do (rule 15): orders that are rows, and listings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from shardkeeper.domain.errors import OrderRefused
from shardkeeper.domain.naming import run_name
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.ports.operator import RunFilter
from shardkeeper.ports.runs import Creation, Progress
from tests.contract.story import COMPLETED, FAILED, A, B, Story

LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def trigger(story: Story, job: str = "job", **parameters: object) -> int:
    return story.world.operator.trigger(job, parameters, None, None, "ada")


def test_a_triggered_run_is_pending_with_its_parameters(story: Story) -> None:
    story.job(sharding_total_count=2)
    run = trigger(story, region="seoul")
    pending = story.pending()
    assert [(each.key.run_id, each.key.item, each.kind) for each in pending] == [
        (run, 0, "manual"),
        (run, 1, "manual"),
    ]
    (first, _) = story.claim_pending()
    assert first.run.parameters == {"region": "seoul"}
    row = story.row(run)
    assert (row["trigger_kind"], row["requested_by"], row["job_version"]) == (
        "manual",
        "ada",
        story.version(),
    )


def test_a_trigger_of_one_item_runs_that_item_alone(story: Story) -> None:
    story.job(sharding_total_count=3)
    run = story.world.operator.trigger("job", {}, 1, None, "ada")
    (claimed,) = story.claim_pending()
    assert (claimed.key.item, claimed.run.sharding_total_count) == (1, 3)
    assert story.end(claimed, result="one").run_closed == "COMPLETED"
    assert story.row(run)["result"] == "one"


def test_a_trigger_for_a_fire_time_has_that(story: Story) -> None:
    story.job()
    run = story.world.operator.trigger("job", {}, None, LONG_AGO, "ada")
    assert story.row(run)["fire_time"] == LONG_AGO
    assert len(story.claim_pending()) == 1


def test_two_triggers_for_one_fire_time_are_two_runs(story: Story) -> None:
    story.job()
    first = story.world.operator.trigger("job", {}, None, LONG_AGO, "ada")
    second = story.world.operator.trigger("job", {}, None, LONG_AGO, "ada")
    assert first != second


@pytest.mark.parametrize("item", [-1, 2])
def test_a_trigger_of_an_item_that_does_not_exist_is_refused(story: Story, item: int) -> None:
    story.job(sharding_total_count=2)
    with pytest.raises(OrderRefused, match=str(item)):
        story.world.operator.trigger("job", {}, item, None, "ada")


def test_a_trigger_of_an_unknown_job_is_refused(story: Story) -> None:
    with pytest.raises(OrderRefused, match="nobody"):
        trigger(story, "nobody")


def test_a_trigger_of_a_deleted_job_is_refused(story: Story) -> None:
    story.job()
    story.world.author.delete_job("job")
    with pytest.raises(OrderRefused):
        trigger(story)


def test_a_trigger_of_a_disabled_job_is_refused(story: Story) -> None:
    story.job(enabled=False)
    with pytest.raises(OrderRefused, match="disabled"):
        trigger(story)


def test_a_trigger_with_parameters_that_cannot_be_stored_is_refused(story: Story) -> None:
    story.job()
    with pytest.raises(OrderRefused):
        trigger(story, region="seoul\x00")


def test_a_pause_does_not_hold_triggers(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", None, None, "ada")
    assert trigger(story)
    assert len(story.pending()) == 1


def test_a_trigger_of_each_node_has_an_item_for_each_eligible_node(story: Story) -> None:
    story.job(sharding_strategy="each_node", node_selector={"zone": "a"})
    with pytest.raises(OrderRefused):
        trigger(story)
    story.join("node-d/1", {"zone": "a"})
    story.join("node-c/1", {"zone": "a"})
    run = trigger(story)
    assert story.row(run)["sharding_total_count"] == 2
    assert [each.pinned_node for each in story.pending("node-c/1")] == ["node-c"]
    assert [each.key.item for each in story.pending("node-d/1")] == [1]


# Stop


def test_a_stop_closes_what_nobody_holds_at_once(story: Story) -> None:
    story.job(sharding_total_count=2)
    run = trigger(story)
    assert story.world.operator.stop(run, "ada")
    assert story.statuses(run) == ["STOPPED", "STOPPED"]
    row = story.row(run)
    assert row["status"] == "STOPPED"
    assert "ada" in row["reason"]
    assert story.pending() == []


def test_a_stop_is_told_to_who_holds_and_closes_the_run_with_the_last_outcome(story: Story) -> None:
    story.job(sharding_total_count=2)
    held = story.create(claim_items=(0,)).claimed[0]
    assert story.world.operator.stop(held.key.run_id, "ada")
    assert [each.stop_requested for each in story.beat(A).held] == [True]
    assert story.statuses(held.key.run_id) == ["RUNNING", "STOPPED"]
    assert story.end(held, AttemptStatus.STOPPED).run_closed == "STOPPED"


def test_a_stop_given_twice_is_one_stop(story: Story) -> None:
    story.job()
    held = story.running()
    assert story.world.operator.stop(held.key.run_id, "ada")
    assert story.world.operator.stop(held.key.run_id, "bob")
    assert story.end(held, AttemptStatus.STOPPED).run_closed == "STOPPED"
    assert not story.world.operator.stop(held.key.run_id, "ada")


def test_a_run_that_has_ended_is_not_stopped(story: Story) -> None:
    story.job()
    run = story.run_to(COMPLETED)
    assert not story.world.operator.stop(run, "ada")
    assert story.status(run) == "COMPLETED"


def test_a_run_that_nobody_knows_is_not_stopped(story: Story) -> None:
    assert not story.world.operator.stop(123_456_789, "ada")


def test_a_task_that_completes_although_its_run_was_to_stop_is_completed(story: Story) -> None:
    story.job()
    held = story.running()
    story.world.operator.stop(held.key.run_id, "ada")
    assert story.end(held).run_closed == "COMPLETED"


def test_a_waiting_run_that_is_stopped_leaves_the_queue(story: Story) -> None:
    story.job(overlap="queue")
    first = story.running()
    second, third = story.create(), story.create()
    assert second.run_id is not None
    assert story.world.operator.stop(second.run_id, "ada")
    assert story.status(second.run_id) == "STOPPED"
    story.end(first)
    assert [each.key.run_id for each in story.pending()] == [third.run_id]


# Delete


def test_a_deleted_jobs_run_of_which_nothing_was_claimed_is_stopped(story: Story) -> None:
    story.job()
    run = story.create(claim_items=()).run_id
    story.world.author.delete_job("job")
    row = story.row(run)
    assert (row["status"], row["reason"]) == ("STOPPED", "deleted")


def test_a_deleted_jobs_run_of_which_something_was_claimed_ends_under_its_version(story: Story) -> None:
    story.job(sharding_total_count=2, max_attempts=2)
    first = story.create(claim_items=(0,)).claimed[0]
    story.world.author.delete_job("job")
    (second,) = story.claim_pending(B)
    assert story.end(first, FAILED, retry_after_s=0.0).retried
    (again,) = story.claim_pending(A)
    story.end(again)
    assert story.end(second, by=B).run_closed == "COMPLETED"


def test_a_deleted_jobs_waiting_runs_are_stopped_and_the_live_one_ends(story: Story) -> None:
    story.job(overlap="queue")
    first = story.running()
    second = story.create()
    story.world.author.delete_job("job")
    assert story.status(second.run_id) == "STOPPED"
    assert story.end(first).run_closed == "COMPLETED"
    assert story.pending() == []


# Rerun


def test_a_rerun_is_a_new_run_with_the_old_fire_time_and_parameters(story: Story) -> None:
    story.job()
    old = story.world.operator.trigger("job", {"a": 1, "b": 1}, None, LONG_AGO, "ada")
    (claimed,) = story.claim_pending()
    story.end(claimed, FAILED)
    new = story.world.operator.rerun(old, {"b": 2}, False, "bob")
    row = story.row(new)
    assert (row["trigger_kind"], row["rerun_of"], row["requested_by"]) == ("rerun", old, "bob")
    assert (row["fire_time"], row["parameters"]) == (LONG_AGO, {"a": 1, "b": 2})
    assert [each.key.run_id for each in story.pending()] == [new]


def test_a_rerun_goes_by_the_newest_version_unless_told_otherwise(story: Story) -> None:
    story.job(sharding_total_count=1)
    old_version = story.version()
    old = story.run_to(FAILED)
    story.job(sharding_total_count=3)
    newest = story.world.operator.rerun(old, {}, False, "ada")
    same = story.world.operator.rerun(old, {}, True, "ada")
    assert (story.row(newest)["job_version"], story.row(newest)["sharding_total_count"]) == (
        story.version(),
        3,
    )
    assert (story.row(same)["job_version"], story.row(same)["sharding_total_count"]) == (old_version, 1)


def test_a_rerun_starts_items_that_were_not_completed_from_their_checkpoints(story: Story) -> None:
    story.job(sharding_total_count=2)
    first, second = story.create().claimed
    for held in (first, second):
        progress = Progress(held.key, held.claim_no, checkpoint={"item": held.key.item})
        story.world.runs.progress(A, [progress])
    story.end(first)
    story.end(second, FAILED)
    story.world.operator.rerun(first.key.run_id, {}, False, "ada")
    assert [claimed.checkpoint for claimed in story.claim_pending()] == [None, {"item": 1}]


def test_a_run_that_has_not_ended_cannot_be_run_again(story: Story) -> None:
    story.job()
    run = story.running().key.run_id
    with pytest.raises(OrderRefused, match=str(run)):
        story.world.operator.rerun(run, {}, False, "ada")


def test_a_run_that_nobody_knows_cannot_be_run_again(story: Story) -> None:
    with pytest.raises(OrderRefused):
        story.world.operator.rerun(123_456_789, {}, False, "ada")


# Pause and resume


def test_a_pause_is_listed_until_it_is_resumed(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", "maintenance", None, "ada")
    (row,) = story.world.operator.jobs(name="job")
    assert (row["paused"], row["paused_reason"]) == (True, "maintenance")
    assert story.world.operator.resume("job", "ada")
    (row,) = story.world.operator.jobs(name="job")
    assert (row["paused"], row["paused_reason"]) == (False, None)


def test_what_was_not_paused_cannot_be_resumed(story: Story) -> None:
    story.job()
    assert not story.world.operator.resume("job", "ada")


def test_an_unknown_job_cannot_be_paused(story: Story) -> None:
    with pytest.raises(OrderRefused, match="nobody"):
        story.world.operator.pause("nobody", None, None, "ada")


def test_one_resume_ends_a_pause_that_was_given_twice(story: Story) -> None:
    story.job()
    story.world.operator.pause("job", "one", None, "ada")
    story.world.operator.pause("job", "two", None, "ada")
    (row,) = story.world.operator.jobs(name="job")
    assert row["paused_reason"] == "two"
    assert story.world.operator.resume("job", "ada")
    assert story.ask(story.request()).outcome is Creation.CREATED


# Apply

IMPL = {"name": "impl", "kind": "python", "entrypoint": "tasks:Task"}
JOB = {"name": "job", "impl_spec": "impl", "every": "10 s"}


def test_apply_says_what_it_inserted_updated_and_left_unchanged(story: Story) -> None:
    apply = story.world.operator.apply
    first = apply([IMPL], [JOB, JOB | {"name": "other"}], "ada")
    assert {key: len(names) for key, names in first.items()} == {"inserted": 3, "updated": 0, "unchanged": 0}
    again = apply([IMPL], [JOB | {"owner": "ada"}, JOB | {"name": "other"}], "ada")
    assert {key: len(names) for key, names in again.items()} == {"inserted": 0, "updated": 1, "unchanged": 2}
    assert any("job" in name for name in again["updated"])


def test_apply_sets_what_is_left_out_to_its_default(story: Story) -> None:
    story.world.operator.apply([IMPL], [JOB | {"owner": "ada", "sharding_total_count": 3}], "ada")
    story.world.operator.apply([IMPL], [JOB], "ada")
    (row,) = story.world.operator.jobs(name="job")
    assert (row["owner"], row["sharding_total_count"]) == (None, 1)


def test_apply_replaces_the_sources_of_an_impl(story: Story) -> None:
    sources = [{"key": "feed-a", "weight": 2}, {"key": "feed-b"}]
    story.world.operator.apply([IMPL | {"sources": sources}], [], "ada")
    story.world.operator.apply([IMPL | {"sources": [{"key": "feed-b"}, {"key": "feed-c"}]}], [], "ada")
    (row,) = story.world.operator.impls()
    assert [source["key"] for source in row["sources"]] == ["feed-b", "feed-c"]


def test_apply_never_touches_a_pause(story: Story) -> None:
    story.world.operator.apply([IMPL], [JOB], "ada")
    story.world.operator.pause("job", None, None, "ada")
    story.world.operator.apply([IMPL], [JOB | {"owner": "ada"}], "ada")
    (row,) = story.world.operator.jobs(name="job")
    assert row["paused"] is True


def test_apply_of_something_wrong_stores_nothing(story: Story) -> None:
    with pytest.raises(OrderRefused):
        story.world.operator.apply([IMPL], [JOB, JOB | {"name": "other", "overlap": "perhaps"}], "ada")
    assert story.world.operator.jobs() == []


# Listings


def test_jobs_are_listed_by_label_and_by_name(story: Story) -> None:
    story.job("one", labels={"team": "a", "tier": "1"})
    story.job("two", labels={"team": "b"})
    jobs = story.world.operator.jobs
    assert [row["name"] for row in jobs()] == ["one", "two"]
    assert [row["name"] for row in jobs({"team": "a"})] == ["one"]
    assert [row["name"] for row in jobs(name="two")] == ["two"]
    assert jobs({"team": "c"}) == []


def test_a_job_is_listed_with_its_columns_and_its_status(story: Story) -> None:
    story.job(sharding_total_count=2, owner="ada")
    (row,) = story.world.operator.jobs(name="job")
    assert (row["impl_spec"], row["sharding_total_count"], row["owner"]) == ("impl", 2, "ada")
    assert (row["overlap"], row["enabled"], row["version"]) == ("skip", True, story.version())
    assert (row["problem"], row["paused"], row["last_run"], row["failures_in_a_row"]) == (
        None,
        False,
        None,
        0,
    )


def test_runs_are_listed_newest_fire_time_first(story: Story) -> None:
    story.job(overlap="allow")
    runs = [story.create().run_id for _ in range(3)]
    assert [row["id"] for row in story.world.operator.runs(RunFilter())] == runs[::-1]
    assert [row["id"] for row in story.world.operator.runs(RunFilter(limit=2))] == [runs[2], runs[1]]


def test_runs_are_listed_by_all_that_is_wanted_of_them(story: Story) -> None:
    story.job("one", labels={"team": "a"})
    story.job("two")
    failed = story.run_to(FAILED, "one")
    done = story.run_to(COMPLETED, "one")
    other = story.create("two", by=B).run_id

    def found(**wanted: object) -> set[object]:
        return {row["id"] for row in story.world.operator.runs(RunFilter(**wanted))}  # type: ignore[arg-type]

    assert found(job="one") == {failed, done}
    assert found(status="FAILED") == {failed}
    assert found(node="node-b") == {other}
    assert found(labels={"team": "a"}) == {failed, done}
    assert found(job="one", status="COMPLETED") == {done}
    assert found(since=story.world.now() + timedelta(hours=1)) == set()
    assert found(since=story.world.now() - timedelta(hours=1)) == {failed, done, other}


def test_a_run_is_found_by_its_name_and_that_is_the_newest_of_that_name(story: Story) -> None:
    story.job()
    story.world.operator.trigger("job", {}, None, LONG_AGO, "ada")
    newest = story.world.operator.trigger("job", {}, None, LONG_AGO, "ada")
    row = story.world.operator.run(run_name("job", LONG_AGO))
    assert row is not None
    assert row["id"] == newest


def test_a_run_that_does_not_exist_is_none(story: Story) -> None:
    assert story.world.operator.run(123_456_789) is None
    assert story.world.operator.run("nobody@2026-01-01T00:00:00Z") is None


def test_items_that_are_open_are_listed(story: Story) -> None:
    story.job("one", sharding_total_count=2)
    story.job("two")
    first = story.create("one", claim_items=(0,))
    story.run_to(COMPLETED, "two")
    rows = story.world.operator.running_items()
    assert {(row["job_name"], row["item"], row["status"], row["node_id"]) for row in rows} == {
        ("one", 0, "RUNNING", "node-a"),
        ("one", 1, "PENDING", None),
    }
    assert {row["run_id"] for row in rows} == {first.run_id}
    assert story.world.operator.running_items("two") == []


def test_nodes_are_listed_with_their_leases(story: Story) -> None:
    story.world.leases.drain(B)
    rows = {row["node_id"]: row for row in story.world.operator.leases()}
    assert set(rows) == {"node-a", "node-b"}
    assert rows["node-a"]["incarnation"] == A
    assert rows["node-b"]["state"] == "draining"


def test_health_tells_the_stores_clock(story: Story) -> None:
    before = story.world.now()
    assert before <= story.world.operator.health()["now"] <= story.world.now()
