"""Jobs that follow others, with two at work at the same time: authors who would close a circle together, and parents of
one follower that close at once (rule 5)."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors as pg

from shardkeeper.domain.attempts import Claimed
from shardkeeper.domain.outcomes import OutcomeAnswer
from shardkeeper.postgres.errors import REFUSED_STATE
from tests.postgres.migrated import Migrated
from tests.postgres.race import Race, record
from tests.waiting import wait_until

WAITS = """SELECT count(*) FROM pg_stat_activity
           WHERE datname = current_database() AND application_name = 'second' AND wait_event_type = 'Lock'"""
FOLLOW = """UPDATE shardkeeper.job_spec SET follows = jsonb_build_object('jobs', jsonb_build_array(%s::text))
            WHERE name = %s"""
FOLLOWING = "SELECT name FROM shardkeeper.job_spec WHERE follows <> '{}' ORDER BY 1"


def jobs(migrated: Migrated, *names: str) -> None:
    for name in names:
        migrated.job(name, every=None)


def first_author(migrated: Migrated, query: str, values: tuple[str, ...]) -> psycopg.Connection[object]:
    """A transaction that has passed the check, and is not committed."""
    author = migrated.another(autocommit=False)
    author.execute(query.encode(), values)
    author.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return author


def second_author(migrated: Migrated, query: str, values: tuple[str, ...]) -> Future[object]:
    """Another one, in a thread, once it waits for the first."""
    author = migrated.another(application_name="second")
    threads = migrated.opened.enter_context(ThreadPoolExecutor(1))
    answer: Future[object] = threads.submit(lambda: author.execute(query.encode(), values))
    wait_until(lambda: answer.done() or migrated.one(WAITS), what="the second author's wait")
    assert not answer.done()
    return answer


def test_of_two_authors_who_would_close_a_circle_together_the_second_is_refused(migrated: Migrated) -> None:
    jobs(migrated, "a", "b")
    first = first_author(migrated, FOLLOW, ("a", "b"))
    second = second_author(migrated, FOLLOW, ("b", "a"))
    first.commit()
    with pytest.raises(psycopg.Error) as refused:
        second.result()
    assert refused.value.sqlstate == REFUSED_STATE
    assert "a would follow itself" in str(refused.value)
    assert migrated.all(FOLLOWING) == ["b"]


def test_a_job_that_is_followed_meanwhile_is_not_deleted(migrated: Migrated) -> None:
    jobs(migrated, "a", "b")
    first = first_author(migrated, FOLLOW, ("a", "b"))
    second = second_author(migrated, "DELETE FROM shardkeeper.job_spec WHERE name = %s", ("a",))
    first.commit()
    with pytest.raises(psycopg.Error, match="a cannot go: b follows it"):
        second.result()


def test_a_job_that_is_deleted_meanwhile_is_not_followed(migrated: Migrated) -> None:
    jobs(migrated, "a", "b")
    first = first_author(migrated, "DELETE FROM shardkeeper.job_spec WHERE name = %s", ("a",))
    second = second_author(migrated, FOLLOW, ("a", "b"))
    first.commit()
    with pytest.raises(psycopg.Error, match="b follows 'a', and there is no such job"):
        second.result()


def test_who_judges_by_an_older_snapshot_is_refused(migrated: Migrated) -> None:
    jobs(migrated, "a", "b")
    author = migrated.another(autocommit=False)
    author.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    author.execute("SELECT 1")
    migrated.sql.execute(FOLLOW.encode(), ("a", "b"))
    author.execute(FOLLOW.encode(), ("b", "a"))
    with pytest.raises(pg.SerializationFailure):
        author.commit()
    assert migrated.all(FOLLOWING) == ["b"]


def test_specs_that_follow_nothing_never_wait_for_those_that_do(migrated: Migrated) -> None:
    jobs(migrated, "a", "b", "c")
    first_author(migrated, FOLLOW, ("a", "b"))
    other = migrated.another()
    other.execute("SET lock_timeout = '5 s'")
    other.execute("UPDATE shardkeeper.job_spec SET priority = 1 WHERE name = 'c'")
    assert migrated.one("SELECT priority FROM shardkeeper.job_spec WHERE name = 'c'") == 1


def two_parents_at_once(migrated: Migrated) -> tuple[Race, list[Claimed], Future[OutcomeAnswer]]:
    """c follows a and b. a's outcome is recorded and not committed; b's, in a thread, waits for that."""
    migrated.job("a")
    migrated.job("b")
    migrated.job("c", every=None, follows='{"jobs": ["a", "b"]}')
    race = Race(migrated)
    fire = race.now()
    held = [
        race.second.runs.create("node-a/1", [race.request(job, fire=fire)])[0].claimed[0]
        for job in ("a", "b")
    ]
    record(race.first, held[0])
    return race, held, race.meanwhile(lambda: record(race.second, held[1]))


def test_of_two_parents_that_close_at_once_the_second_starts_the_follower_once(migrated: Migrated) -> None:
    race, held, answer = two_parents_at_once(migrated)
    race.go_on()
    assert answer.result().run_closed == "COMPLETED"
    assert migrated.all("SELECT parent_run FROM shardkeeper.job_run WHERE job_name = 'c'") == [
        held[1].key.run_id
    ]
    assert migrated.one("SELECT count(*) FROM shardkeeper.follow_gate") == 0


def test_a_parent_that_closes_for_nothing_leaves_the_follower_to_the_other(migrated: Migrated) -> None:
    race, held, answer = two_parents_at_once(migrated)
    race.give_up()
    answer.result()
    assert migrated.all("SELECT id FROM shardkeeper.job_run WHERE job_name = 'c'") == []
    record(race.second, held[0])
    assert len(migrated.all("SELECT id FROM shardkeeper.job_run WHERE job_name = 'c'")) == 1


def test_followers_are_found_by_an_index(migrated: Migrated) -> None:
    migrated.job("a")
    migrated.job("c", every=None, follows='{"jobs": ["a"]}')
    migrated.sql.execute("SET enable_seqscan = off")
    plan = migrated.all(
        "EXPLAIN SELECT FROM shardkeeper.job_version v WHERE v.follows <> '{}' AND v.follows -> 'jobs' ?| ARRAY['a']"
    )
    assert any("job_version_follows" in line for line in plan)


def test_a_node_may_start_follow_ups(migrated: Migrated) -> None:
    migrated.job("a")
    migrated.job("b")
    migrated.job("c", every=None, follows='{"jobs": ["a", "b"]}')
    race = Race(migrated)
    race.sql("SET ROLE shardkeeper_node")
    fire = race.now()
    for job in ("a", "b"):
        record(race.first, race.first.runs.create("node-a/1", [race.request(job, fire=fire)])[0].claimed[0])
    race.go_on()
    assert len(migrated.all("SELECT id FROM shardkeeper.job_run WHERE job_name = 'c'")) == 1
