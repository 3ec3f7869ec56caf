"""What every SpecStore must do (rules 1 and 2): versions in force, marks, the change feed."""

from __future__ import annotations

from datetime import timedelta

from shardkeeper.ports.specs import Declined, InvalidMark, SpecRows
from tests.contract.story import A, Story


def versions(rows: SpecRows) -> list[int]:
    return [row.version for row in rows.jobs]


def mark(story: Story, problem: str = "cron never fires") -> None:
    story.world.specs.mark_invalid([InvalidMark("job", story.version(), problem)])


def test_a_version_is_in_force_from_the_commit_of_its_transaction(story: Story) -> None:
    story.world.author.put_impl("impl", entrypoint="tasks:Task")
    with story.world.author.transaction():
        story.world.author.put_job("job", impl_spec="impl")
        before_commit = story.world.now()
    (row,) = story.world.specs.named(["job"], []).jobs
    assert before_commit <= row.in_force_from <= story.world.now()


def test_a_transaction_that_fails_leaves_no_version(story: Story) -> None:
    class Change(Exception):
        pass

    story.world.author.put_impl("impl", entrypoint="tasks:Task")
    try:
        with story.world.author.transaction():
            story.world.author.put_job("job", impl_spec="impl")
            raise Change
    except Change:
        pass
    assert story.world.specs.named(["job"], []).jobs == ()


def test_the_spec_is_the_row_as_json_with_what_differs_from_the_defaults(story: Story) -> None:
    story.job(parameters={"fast": True}, misfire_grace=timedelta(seconds=90), timeout=None)
    (row,) = story.world.specs.named(["job"], []).jobs
    assert row.spec == {
        "name": "job",
        "impl_spec": "impl",
        "every": "10 s",
        "parameters": {"fast": True},
        "misfire_grace": "90 s",
        "timeout": None,
    }


def test_a_change_is_a_new_version_with_a_higher_number_and_the_old_one_stays_as_it_was(story: Story) -> None:
    story.job(sharding_total_count=2)
    story.job(sharding_total_count=3)
    old, new = story.world.specs.named(["job"], []).jobs
    assert old.spec is not None
    assert new.spec is not None
    assert (old.spec["sharding_total_count"], new.spec["sharding_total_count"]) == (2, 3)
    assert old.version < new.version
    assert old.in_force_from < new.in_force_from


def test_writing_the_same_again_is_no_version(story: Story) -> None:
    story.job(owner="ada")
    first = story.version()
    story.job(owner="ada")
    assert story.version() == first


def test_two_changes_in_one_transaction_are_one_version(story: Story) -> None:
    story.job()
    with story.world.author.transaction():
        story.world.author.put_job("job", owner="ada")
        story.world.author.put_job("job", owner="bob")
    rows = story.world.specs.named(["job"], []).jobs
    assert [row.spec.get("owner") for row in rows if row.spec is not None] == [None, "bob"]


def test_a_deletion_is_a_version_without_a_spec(story: Story) -> None:
    story.job()
    story.world.author.delete_job("job")
    first, last = story.world.specs.named(["job"], []).jobs
    assert first.spec is not None
    assert last.spec is None


def test_numbers_are_never_used_again_even_after_a_delete(story: Story) -> None:
    story.job()
    seen = [story.version()]
    story.world.author.delete_job("job")
    seen.append(story.version())
    story.job()
    seen.append(story.version())
    assert sorted(set(seen)) == seen


def test_sources_are_part_of_their_impls_version(story: Story) -> None:
    story.job()
    before = story.impl_version()
    story.world.author.put_source("impl", "feed-b", weight=2)
    story.world.author.put_source("impl", "feed-a", location="file:///a")
    newest = story.world.specs.named([], ["impl"]).impls[-1]
    assert newest.version > before
    assert [source["key"] for source in newest.sources] == ["feed-a", "feed-b"]
    assert newest.sources[0]["location"] == "file:///a"
    assert newest.sources[1]["weight"] == 2


def test_a_new_source_is_no_new_version_of_the_jobs(story: Story) -> None:
    story.job()
    before = story.version()
    story.world.author.put_source("impl", "feed")
    assert story.version() == before


def test_load_gives_all_jobs_and_impls_in_force(story: Story) -> None:
    story.job("one")
    story.job("two")
    rows = story.world.specs.load()
    assert {"one", "two"} <= rows.jobs_named
    assert {row.job_name for row in rows.jobs} == {"one", "two"}
    assert [row.impl_name for row in rows.impls] == ["impl"]


def test_versions_are_given_as_long_as_they_were_in_force_within_the_on_time_window(story: Story) -> None:
    story.job(owner="ada")
    old = story.version()
    story.job(owner="bob")
    assert versions(story.world.specs.load()) == [old, story.version()]
    story.world.pass_time(story.world.on_time_window_s + 1)
    assert versions(story.world.specs.load()) == [story.version()]


def test_a_name_that_has_no_version_is_named_all_the_same(story: Story) -> None:
    rows = story.world.specs.named(["nobody"], ["nothing"])
    assert rows.jobs_named == {"nobody"}
    assert rows.impls_named == {"nothing"}
    assert rows.jobs == ()
    assert rows.impls == ()


def test_an_invalid_version_is_left_out_and_the_last_valid_one_stays_in_force(story: Story) -> None:
    story.job()
    valid = story.version()
    story.job(cron="0 0 30 2 *", every=None)
    mark(story)
    assert versions(story.world.specs.named(["job"], [])) == [valid]
    assert versions(story.world.specs.load()) == [valid]


def test_an_invalid_version_of_an_impl_is_left_out_too(story: Story) -> None:
    story.job()
    valid = story.impl_version()
    story.world.author.put_impl("impl", entrypoint="nonsense")
    story.world.specs.mark_invalid([InvalidMark("impl", story.impl_version(), "no such thing", of_impl=True)])
    assert story.impl_version() == valid


def test_a_job_all_of_whose_versions_are_invalid_has_none(story: Story) -> None:
    story.job()
    mark(story)
    rows = story.world.specs.named(["job"], [])
    assert rows.jobs_named == {"job"}
    assert rows.jobs == ()


def test_the_problem_is_shown_until_a_valid_version_comes(story: Story) -> None:
    story.job()
    mark(story, "cron never fires")
    (row,) = story.world.operator.jobs(name="job")
    assert "cron never fires" in row["problem"]
    story.job(owner="ada")
    (row,) = story.world.operator.jobs(name="job")
    assert row["problem"] is None


def test_marking_twice_raises_one_alert(story: Story) -> None:
    story.job()
    marks = [InvalidMark("job", story.version(), "cron never fires")]
    story.world.specs.mark_invalid(marks)
    story.world.specs.mark_invalid(marks)
    (alert,) = story.alerts()
    assert alert.job_name == "job"


def test_changes_names_what_changed_since_the_token_and_nothing_else(story: Story) -> None:
    story.job("one")
    story.job("two")
    token = story.world.specs.load().token
    story.job("two", owner="ada")
    rows = story.world.specs.changes(token)
    assert "two" in rows.jobs_named
    assert rows.jobs[-1].spec is not None
    assert rows.jobs[-1].spec["owner"] == "ada"
    again = story.world.specs.changes(rows.token)
    assert "one" not in again.jobs_named


def test_changes_sees_versions_of_impls(story: Story) -> None:
    story.job()
    token = story.world.specs.load().token
    story.world.author.put_source("impl", "feed")
    rows = story.world.specs.changes(token)
    assert rows.impls_named == {"impl"}
    assert [source["key"] for source in rows.impls[-1].sources] == ["feed"]


def test_changes_sees_marks(story: Story) -> None:
    story.job()
    token = story.world.specs.load().token
    mark(story)
    rows = story.world.specs.changes(token)
    assert "job" in rows.jobs_named
    assert rows.jobs == ()


def test_changes_sees_pauses_begin_and_end(story: Story) -> None:
    story.job()
    token = story.world.specs.load().token
    story.world.operator.pause("job", "maintenance", None, "ada")
    paused = story.world.specs.changes(token)
    assert [(row.job_name, row.reason, row.until) for row in paused.pauses] == [("job", "maintenance", None)]
    story.world.operator.resume("job", "ada")
    (row,) = story.world.specs.changes(paused.token).pauses
    assert row.until is not None
    assert row.since <= row.until


def test_changes_sees_deletions(story: Story) -> None:
    story.job()
    token = story.world.specs.load().token
    story.world.author.delete_job("job")
    rows = story.world.specs.changes(token)
    assert rows.jobs_named == {"job"}
    assert rows.jobs[-1].spec is None


def test_pinned_gives_versions_that_are_superseded_marked_or_deleted(story: Story) -> None:
    story.job(owner="ada")
    first, impl = story.version(), story.impl_version()
    story.job(owner="bob")
    second = story.version()
    mark(story)
    story.world.author.delete_job("job")
    story.world.pass_time(story.world.on_time_window_s + 1)
    rows = story.world.specs.pinned([first, second], [impl])
    assert sorted(versions(rows)) == [first, second]
    assert {row.spec["owner"] for row in rows.jobs if row.spec is not None} == {"ada", "bob"}
    assert [row.version for row in rows.impls] == [impl]


def test_who_declines_a_job_is_told_with_its_pending_attempts(story: Story) -> None:
    story.job()
    story.create(claim_items=())
    story.world.specs.decline([Declined("job", "node-b", "no module named tasks")])
    (pending,) = story.pending()
    assert pending.declined_by == ("node-b",)
    story.world.specs.decline([Declined("job", "node-b", None)])
    (pending,) = story.pending()
    assert pending.declined_by == ()


def test_pinned_versions_come_with_who_declines_their_jobs(story: Story) -> None:
    story.job()
    version = story.world.specs.load().jobs[0].version
    refusals = (
        Declined("job", "node-b", "no module named tasks", (version, 1)),
        Declined("job", "node-c", "not understood"),
    )
    story.world.specs.decline(refusals)
    told = story.world.specs.pinned([version], []).declined
    assert {(one.node_id, one.reason, one.versions) for one in told} == {
        ("node-b", "no module named tasks", (version, 1)),
        ("node-c", "not understood", (0, 0)),
    }
    assert story.world.specs.pinned([], []).declined == ()


def test_a_job_is_listed_with_why_nodes_decline_it(story: Story) -> None:
    story.job()
    story.world.specs.decline([Declined("job", "node-b", "no module named tasks")])
    (row,) = story.world.operator.jobs(name="job")
    assert "no module named tasks" in row["problem"]


def test_two_nodes_that_decline_for_one_reason_raise_one_alert(story: Story) -> None:
    story.job()
    for node in ("node-a", "node-b", "node-b"):
        story.world.specs.decline([Declined("job", node, "no module named tasks")])
    (alert,) = story.alerts(A)
    assert alert.job_name == "job"
