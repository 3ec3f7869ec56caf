"""What every SweepStore must do (rule 9): every job over the whole window, decided on what stands, applied once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from shardkeeper.domain.attempts import Creation
from shardkeeper.domain.runs import RunStatus
from shardkeeper.ports.duties import GLANCED, Glanced, MisfireRun, RangeRecord, SweepSlice, SweptJob
from shardkeeper.ports.specs import InvalidMark
from tests.contract.story import A, B, Story


def outage(story: Story, seconds: float = 100) -> None:
    """All nodes are away for so long."""
    story.world.pass_time(story.world.on_time_window_s + seconds, fires_too=True)


def job(done: SweepSlice, name: str = "job") -> SweptJob:
    return next(each for each in done.jobs if each.job_name == name)


def a_fire(done: SweepSlice) -> datetime:
    """An instant within the window at which its jobs are in force."""
    return done.window_until - timedelta(seconds=1)


def misfire(done: SweepSlice, name: str = "job", fire: datetime | None = None) -> MisfireRun:
    version = job(done, name).versions[-1]
    assert version.spec is not None
    total = int(version.spec.get("sharding_total_count", 1))
    return MisfireRun(name, fire or a_fire(done), version.version, done.impls[-1].version, total)


def missed(done: SweepSlice, name: str = "job") -> RangeRecord:
    until = a_fire(done)
    first = until - timedelta(seconds=20)
    return RangeRecord(
        name, job(done, name).versions[-1].version, RunStatus.MISSED, first, until, 3, "policy skip"
    )


def test_there_is_nothing_to_sweep_until_fires_are_out_of_the_on_time_window(story: Story) -> None:
    story.job()
    assert story.world.sweep.sweep_begin(A, 100) is None


def test_a_window_ends_where_no_node_can_be_creating_any_more(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    assert done.window_from < done.window_until
    lag = (done.now - done.window_until).total_seconds()
    assert story.world.on_time_window_s <= lag < story.world.on_time_window_s + 5


def test_a_slice_has_what_is_decided_from(story: Story) -> None:
    story.job(sharding_total_count=2)
    version, impl = story.version(), story.impl_version()
    story.world.operator.pause("job", "maintenance", None, "ada")
    outage(story)
    done = story.slice()
    swept = job(done)
    assert [(each.version, each.job_name) for each in swept.versions] == [(version, "job")]
    assert swept.versions[0].spec is not None
    assert swept.versions[0].spec["sharding_total_count"] == 2
    assert [(each.reason, each.until) for each in swept.pauses] == [("maintenance", None)]
    assert [each.version for each in done.impls] == [impl]


def test_a_slice_has_all_versions_that_were_in_force_in_the_window_and_the_deletion(story: Story) -> None:
    story.job(owner="ada")
    story.job(owner="bob")
    story.world.author.delete_job("job")
    outage(story)
    specs = [each.spec for each in job(story.slice()).versions]
    assert [None if spec is None else spec["owner"] for spec in specs] == ["ada", "bob", None]


def test_a_slice_leaves_out_versions_that_are_marked_invalid(story: Story) -> None:
    story.job()
    valid = story.version()
    story.job(cron="0 0 30 2 *", every=None)
    story.world.specs.mark_invalid([InvalidMark("job", story.version(), "never fires")])
    outage(story)
    assert [each.version for each in job(story.slice()).versions] == [valid]


def test_a_version_that_came_after_the_window_is_not_in_it(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    story.job("younger")
    assert "younger" not in {each.job_name for each in story.slice().jobs}
    assert story.slice().window_until == done.window_until


def test_a_job_that_was_deleted_before_the_window_is_not_in_it(story: Story) -> None:
    story.job()
    story.world.author.delete_job("job")
    outage(story)
    assert story.apply(story.slice())
    outage(story)
    assert "job" not in {each.job_name for each in story.slice().jobs}


def test_a_fire_that_has_a_run_is_told_and_gets_no_other(story: Story) -> None:
    story.job(overlap="allow")
    run = story.create(claim_items=()).run_id
    outage(story)
    fire = story.row(run)["fire_time"]
    done = story.slice()
    assert job(done).existing == {fire}
    version = job(done).versions[-1].version
    record = RangeRecord("job", version, RunStatus.MISSED, fire, fire, 1, "policy skip")
    assert story.apply(done, [misfire(done, fire=fire)], [record])
    assert [each.kind for each in story.pending()] == ["schedule"]
    assert story.alerts() == []


def test_a_misfire_run_is_inserted_with_all_its_attempts_pending(story: Story) -> None:
    story.job(sharding_total_count=2)
    outage(story)
    done = story.slice()
    assert story.apply(done, [misfire(done)])
    pending = story.pending()
    assert [(each.job_name, each.kind, each.key.item) for each in pending] == [
        ("job", "misfire", 0),
        ("job", "misfire", 1),
    ]
    assert pending[0].key.fire_time == a_fire(done)
    assert story.status(pending[0].key.run_id) == "CREATED"


def test_a_missed_range_is_one_record_and_one_alert(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    record = missed(done)
    assert story.apply(done, records=[record])
    (alert,) = story.alerts()
    assert (alert.kind, alert.job_name) == ("missed", "job")
    row = story.row(alert.body["run_id"])
    assert (row["status"], row["missed_count"], row["reason"]) == ("MISSED", 3, "policy skip")
    assert (row["fire_time"], row["fire_until"]) == (record.fire_time, record.fire_until)
    assert row["shard_runs"] == []


def test_a_skipped_range_is_a_record_without_an_alert(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    until = a_fire(done)
    version = job(done).versions[-1].version
    record = RangeRecord("job", version, RunStatus.SKIPPED, until, until, 1, "paused")
    assert story.apply(done, records=[record])
    assert story.alerts() == []


def test_what_is_applied_twice_is_applied_once(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    assert story.apply(done, [misfire(done)])
    assert not story.apply(done, [misfire(done)])
    assert len(story.pending()) == 1


def test_the_watermark_moves_when_the_last_slice_is_applied(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    assert story.apply(done)
    # what lies between two calls that follow each other may be a window too
    following = story.world.sweep.sweep_begin(A, 100)
    assert following is None or following.window_from == done.window_until


def test_the_watermark_stays_until_the_last_slice_is_applied(story: Story) -> None:
    for name in ("a", "b"):
        story.job(name)
    outage(story)
    first = story.slice(limit=1)
    assert story.apply(first)
    assert story.slice(limit=1).window_from == first.window_from


def test_slices_cover_every_job_over_the_same_window(story: Story) -> None:
    names = ["a", "b", "c", "d", "e"]
    for name in names:
        story.job(name)
    outage(story)
    seen: list[str] = []
    windows = set()
    for _ in range(3):
        done = story.slice(limit=2)
        assert len(done.jobs) <= 2
        seen += [each.job_name for each in done.jobs]
        windows.add((done.window_from, done.window_until))
        assert story.apply(done)
    assert seen == names
    assert len(windows) == 1
    following = story.world.sweep.sweep_begin(A, 2)
    assert following is None or following.window_from == done.window_until


def test_of_the_jobs_that_come_next_those_are_read_that_are_chosen_and_the_slice_is_past_the_others(
    story: Story,
) -> None:
    for name in ("a", "b", "c", "d"):
        story.job(name)
    outage(story)
    told: list[Sequence[Glanced]] = []

    def choose(since: datetime, until: datetime, glanced: Sequence[Glanced]) -> list[str]:
        assert since < until
        told.append(glanced)
        return [name for name, _ in glanced if name in "bd"]

    first = story.world.sweep.sweep_begin(A, 1, choose)
    assert first is not None
    assert [(name, list(versions)) for name, versions in told[0] if name == "b"] == [
        ("b", [version.version for version in job(first, "b").versions])
    ]
    assert ([each.job_name for each in first.jobs], first.last) == (["b"], False)
    assert story.apply(first, [misfire(first, "b")])
    second = story.world.sweep.sweep_begin(A, 1, choose)
    assert second is not None
    assert [name for name, _ in told[1]] == ["c", "d"]
    assert ([each.job_name for each in second.jobs], second.last) == (["d"], True)
    assert story.apply(second)


def test_the_versions_that_are_told_are_those_that_are_read(story: Story) -> None:
    """Those of before the window, in it and after it, not those that are marked, and the deletion."""
    for name in ("edited", "marked", "deleted", "left"):
        story.job(name)
    story.world.pass_time(1)
    story.job("edited", priority=1)
    outage(story, 5)
    assert story.apply(story.slice())
    for name in ("edited", "marked"):
        story.job(name, priority=2)
    story.world.author.delete_job("deleted")
    outage(story, 5)
    story.job("edited", priority=3)
    story.world.specs.mark_invalid([InvalidMark("marked", story.version("marked"), "never fires")])
    told: dict[str, list[int]] = {}

    def choose(since: datetime, until: datetime, glanced: Sequence[Glanced]) -> list[str]:
        told.update((name, list(versions)) for name, versions in glanced)
        return list(told)

    done = story.world.sweep.sweep_begin(A, 100, choose)
    assert done is not None
    assert told == {each.job_name: [version.version for version in each.versions] for each in done.jobs}
    assert {name: len(versions) for name, versions in told.items()} == {
        "edited": 3,
        "marked": 1,
        "deleted": 2,
        "left": 1,
    }


def test_where_nothing_is_chosen_the_window_is_swept_all_the_same(story: Story) -> None:
    for number in range(GLANCED + 1):
        story.job(f"job-{number:02}")
    outage(story)
    lengths = []
    while True:
        done = story.world.sweep.sweep_begin(A, 1, lambda since, until, glanced: [])
        assert done is not None
        assert done.jobs == ()
        lengths.append(done.last)
        assert story.apply(done)
        if done.last:
            break
    assert lengths == [False, True]
    following = story.world.sweep.sweep_begin(A, 1)
    assert following is None or following.window_from == done.window_until


def test_a_change_of_a_job_that_was_left_out_begins_the_slice_again(story: Story) -> None:
    """By what it is now it may be one with a fire in the window."""
    for name in ("a", "b"):
        story.job(name)
    outage(story)
    done = story.world.sweep.sweep_begin(A, 100, lambda since, until, glanced: ["a"])
    assert done is not None
    story.job("b", priority=1)
    assert not story.apply(done, [misfire(done, "a")])


def test_a_slice_that_was_applied_is_not_applied_again_while_others_are_left(story: Story) -> None:
    for name in ("a", "b"):
        story.job(name, overlap="allow")
    outage(story)
    first = story.slice(limit=1)
    assert story.apply(first, [misfire(first, "a")])
    late = misfire(first, "a", fire=a_fire(first) - timedelta(seconds=10))
    assert not story.apply(first, [late])
    assert len(story.pending()) == 1
    assert [each.job_name for each in story.slice(limit=1).jobs] == ["b"]


def test_another_holder_goes_on_at_the_cursor(story: Story) -> None:
    for name in ("a", "b"):
        story.job(name)
    outage(story)
    assert story.apply(story.slice(limit=1))
    story.kill(A)
    assert [each.job_name for each in story.slice(B, limit=1).jobs] == ["b"]


def test_a_slice_that_was_not_applied_is_given_again(story: Story) -> None:
    story.job()
    outage(story)
    assert story.slice() is not None
    assert [each.job_name for each in story.slice().jobs] == ["job"]


def test_nothing_is_applied_when_a_version_was_marked_invalid_meanwhile(story: Story) -> None:
    story.job(owner="ada")
    story.job(owner="bob")
    outage(story)
    done = story.slice()
    story.world.specs.mark_invalid([InvalidMark("job", story.version(), "never fires")])
    assert not story.apply(done, [misfire(done)])
    assert story.pending() == []
    assert len(job(story.slice()).versions) == 1


def test_nothing_is_applied_when_a_job_was_paused_meanwhile(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    story.world.operator.pause("job", None, None, "ada")
    assert not story.apply(done, [misfire(done)])
    assert story.pending() == []


def test_nothing_is_applied_when_its_impl_spec_was_changed_meanwhile(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice()
    story.world.author.put_impl("impl", entrypoint="tasks:Other")
    assert not story.apply(done, [misfire(done)])
    again = story.slice()
    assert story.apply(again, [misfire(again)])


def test_only_the_holder_of_the_duty_sweeps(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice(A)
    assert story.world.sweep.sweep_begin(B, 100) is None
    assert not story.apply(done, [misfire(done)], by=B)
    assert story.pending() == []


def test_the_duty_of_a_dead_holder_is_free(story: Story) -> None:
    story.job()
    outage(story)
    done = story.slice(A)
    story.kill(A)
    assert not story.apply(done, [misfire(done)], by=A)
    assert story.slice(B).window_until == done.window_until


def test_a_dead_incarnation_takes_no_duty(story: Story) -> None:
    story.job()
    outage(story)
    story.kill(A)
    assert story.world.sweep.sweep_begin(A, 100) is None


def test_a_misfire_run_waits_behind_the_live_run(story: Story) -> None:
    story.job(overlap="skip")
    outage(story)
    held = story.running(by=B)
    done = story.slice()
    assert story.apply(done, [misfire(done)])
    assert story.pending() == []
    story.end(held, by=B)
    assert [each.kind for each in story.pending()] == ["misfire"]


def test_misfire_runs_of_one_slice_run_one_after_the_other_oldest_first(story: Story) -> None:
    story.job(overlap="skip")
    outage(story)
    done = story.slice()
    fires = [a_fire(done) - timedelta(seconds=10), a_fire(done)]
    assert story.apply(done, [misfire(done, fire=fire) for fire in fires])
    for fire in fires:
        (claimed,) = story.claim_pending()
        assert claimed.key.fire_time == fire
        story.end(claimed)
    assert story.pending() == []


def test_with_overlap_allow_misfire_runs_do_not_wait(story: Story) -> None:
    story.job(overlap="allow")
    outage(story)
    done = story.slice()
    fires = [a_fire(done) - timedelta(seconds=10), a_fire(done)]
    assert story.apply(done, [misfire(done, fire=fire) for fire in fires])
    assert len(story.pending()) == 2


def test_a_fire_that_has_a_run_by_now_gets_none_and_no_record(story: Story) -> None:
    story.job(overlap="allow")
    outage(story)
    done = story.slice(limit=100)
    fire = a_fire(done)
    once = misfire(done, fire=fire)
    record = RangeRecord("job", once.job_version, RunStatus.MISSED, fire, fire, 1, "policy skip")
    assert story.apply(done, [once, once], [record])
    assert len(story.pending()) == 1
    assert story.alerts() == []


def test_items_of_a_missed_each_node_run_are_pinned(story: Story) -> None:
    story.job(sharding_strategy="each_node")
    outage(story)
    done = story.slice()
    version = job(done).versions[-1].version
    run = MisfireRun("job", a_fire(done), version, done.impls[-1].version, 2, ("node-a", "node-b"))
    assert story.apply(done, [run])
    assert [each.pinned_node for each in story.pending(A)] == ["node-a"]
    assert [each.pinned_node for each in story.pending(B)] == ["node-b"]


def test_a_fire_that_the_sweep_is_past_is_not_created_on_time(story: Story) -> None:
    """A creator with a wider window than the sweeper's, or a clock that stepped back."""
    story.job()
    outage(story, 5)
    done = story.slice()
    request = story.request(fire=done.window_until)
    assert story.ask(request).outcome is Creation.OLD
    story.apply(done)
    assert story.ask(request).outcome is Creation.OLD
    assert story.create().outcome is Creation.CREATED


def test_misfire_all_with_more_items_than_a_sweep_can_insert_at_once_is_refused(story: Story) -> None:
    with pytest.raises(Exception, match="catch_up_limit"):
        story.job(misfire="all", catch_up_limit=200, sharding_total_count=501)
    story.job(misfire="all", catch_up_limit=200, sharding_total_count=500)
    story.job("once", misfire="once", catch_up_limit=200, sharding_total_count=501)
