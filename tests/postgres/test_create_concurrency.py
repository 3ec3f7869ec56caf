"""Two creations at once, and a creation beside a spec change: the second comer finds out what the first has done."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from datetime import timedelta

import pytest

from shardkeeper.domain.attempts import CreateAnswer, CreateRun, Creation
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.postgres import rows
from shardkeeper.postgres.runs import PostgresRuns
from tests.postgres.migrated import Migrated
from tests.postgres.race import WAITING, WINDOW_S, A, B, Race, record
from tests.waiting import wait_until

SLEEPING = """SELECT count(*) FROM pg_stat_activity a JOIN pg_locks l USING (pid)
              WHERE a.datname = current_database() AND a.wait_event = 'PgSleep'
                AND l.locktype = 'relation' AND l.relation = 'shardkeeper.shard_run'::regclass
                AND l.mode = 'RowExclusiveLock'"""
"""Those that sleep with attempts inserted."""
ASLEEP = """SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND wait_event = 'PgSleep'"""
RUN_IDS_CACHED = 32
"""By each connection (016_runs_tables.sql)."""


@pytest.fixture
def race(migrated: Migrated) -> Race:
    return Race(migrated)


def test_of_two_creators_of_a_fire_the_second_waits_and_claims_its_own_items(race: Race) -> None:
    race.database.job(sharding_total_count=2)
    request = race.request(items=(0,), total=2)
    (created,) = race.first.runs.create(A, [request])
    second = race.meanwhile(lambda: race.second.runs.create(B, [replace(request, claim_items=(1,))]))
    race.go_on()
    (exists,) = second.result()
    assert (created.outcome, exists.outcome) == (Creation.CREATED, Creation.EXISTS)
    assert exists.run_id == created.run_id
    assert [each.key.item for each in exists.claimed] == [1]
    assert race.attempts(created.run_id) == ["RUNNING", "RUNNING"]


def test_when_the_first_creator_fails_the_second_has_created_the_run_itself(race: Race) -> None:
    race.database.job()
    request = race.request()
    race.first.runs.create(A, [request])
    second = race.meanwhile(lambda: race.second.runs.create(B, [request]))
    race.give_up()
    (answer,) = second.result()
    assert answer.outcome is Creation.CREATED
    assert len(answer.claimed) == 1


def test_a_spec_change_stamped_before_the_fire_is_waited_for_and_counts(race: Race) -> None:
    race.database.job()
    race.sql("UPDATE shardkeeper.job_spec SET priority = 7")
    race.sql("SET CONSTRAINTS ALL IMMEDIATE")
    request = race.request()
    second = race.meanwhile(lambda: race.second.runs.create(A, [request]))
    race.go_on()
    (answer,) = second.result()
    assert answer.outcome is Creation.NOT_IN_FORCE


def test_a_pause_stamped_before_the_fire_is_waited_for_and_counts(race: Race) -> None:
    race.database.job()
    request = race.request()
    race.sql("SELECT shardkeeper.pause_job('job', 'holiday')")
    race.sql("SET CONSTRAINTS ALL IMMEDIATE")
    second = race.meanwhile(lambda: race.second.runs.create(A, [request]))
    race.go_on()
    (answer,) = second.result()
    assert (answer.outcome, answer.reason) == (Creation.SKIPPED, "paused: holiday")


def test_a_creation_under_way_holds_up_neither_spec_changes_nor_other_creations(race: Race) -> None:
    race.database.job("one")
    race.database.job("two")
    race.first.runs.create(A, [race.request("one")])
    race.database.sql.execute("SET lock_timeout = '1s'")
    race.database.sql.execute("UPDATE shardkeeper.job_spec SET priority = 7 WHERE name = 'one'")
    (answer,) = race.hurried.runs.create(B, [race.request("two")])
    assert answer.outcome is Creation.CREATED


def test_a_fire_that_comes_while_the_live_run_ends_waits_for_it_and_runs(race: Race) -> None:
    race.database.job()
    (held,) = race.create().claimed
    record(race.first, held)
    second = race.meanwhile(lambda: race.second.runs.create(A, [race.request()]))
    race.go_on()
    (answer,) = second.result()
    assert answer.outcome is Creation.CREATED


def test_a_fire_that_comes_while_the_live_run_fails_to_end_is_skipped(race: Race) -> None:
    race.database.job()
    live = race.create()
    record(race.first, live.claimed[0])
    second = race.meanwhile(lambda: race.second.runs.create(A, [race.request()]))
    race.give_up()
    (answer,) = second.result()
    assert answer.outcome is Creation.SKIPPED
    assert answer.reason is not None
    assert f"run {live.run_id} " in answer.reason


def test_of_two_fires_at_once_one_gets_the_live_row_and_the_other_is_skipped(race: Race) -> None:
    race.database.job()
    (first,) = race.first.runs.create(A, [race.request()])
    second = race.meanwhile(lambda: race.second.runs.create(B, [race.request()]))
    race.go_on()
    (answer,) = second.result()
    assert (first.outcome, answer.outcome) == (Creation.CREATED, Creation.SKIPPED)
    assert race.database.all("SELECT run_id FROM shardkeeper.live_run") == [first.run_id]


def test_a_run_that_begins_to_wait_while_the_live_one_ends_is_handed_the_row(race: Race) -> None:
    race.database.job(overlap="queue")
    (held,) = race.create().claimed
    (waiting,) = race.first.runs.create(A, [race.request()])
    closing = race.meanwhile(lambda: record(race.second, held))
    race.go_on()
    assert closing.result().run_closed == "COMPLETED"
    assert race.database.all("SELECT run_id FROM shardkeeper.live_run") == [waiting.run_id]
    (pending,) = race.second.runs.pending(A, 10)
    assert pending.key.run_id == waiting.run_id


def test_a_run_replaced_while_it_ends_by_itself_is_completed_and_the_new_one_runs(race: Race) -> None:
    race.database.job(overlap="replace")
    older = race.create()
    record(race.first, older.claimed[0])
    second = race.meanwhile(lambda: race.second.runs.create(A, [race.request()]))
    race.go_on()
    (answer,) = second.result()
    assert race.run(older.run_id) == AttemptStatus.COMPLETED
    assert len(answer.claimed) == 1


def ahead(race: Race, seconds: float = 1.0) -> CreateRun:
    """A request for a fire that is further ahead than nodes ask, so that a test can do something meanwhile."""
    return race.request(fire=race.now() + timedelta(seconds=seconds))


def waiting_for(race: Race, request: CreateRun, sleeping: str = SLEEPING) -> Future[CreateAnswer]:
    """The creation under way, which has all done but to commit."""
    runs = PostgresRuns(race.another(), WINDOW_S, waited_for_s=10.0)
    answer = race.submit(lambda: runs.create(A, [request])[0])
    wait_until(lambda: answer.done() or race.database.one(sleeping), what="the wait for the fire time")
    assert not answer.done(), f"it did not wait, and answered {answer.result()!r}"
    return answer


def stamp_before(race: Race, request: CreateRun) -> None:
    """A change of the job that is stamped before the fire, and not committed."""
    race.sql("UPDATE shardkeeper.job_spec SET priority = 7")
    race.sql("SET CONSTRAINTS ALL IMMEDIATE")
    assert race.now() < request.fire_time, "the test was too slow to say anything"


def test_of_a_run_that_is_prepared_nobody_sees_anything_before_its_time(race: Race) -> None:
    race.database.job()
    request = ahead(race)
    answer = waiting_for(race, request)
    seen = race.database.one("SELECT count(*) FROM shardkeeper.job_run")
    assert race.now() < request.fire_time, "the test was too slow to say anything"
    assert seen == 0
    assert answer.result().outcome is Creation.CREATED
    assert race.database.one("SELECT least(created_at, started_at) >= fire_time FROM shardkeeper.job_run"), (
        "it says that it was created before its time"
    )
    assert race.database.one(
        "SELECT least(created_at, not_before, claimed_at) >= fire_time FROM shardkeeper.shard_run"
    )


@pytest.mark.parametrize(
    ("change", "outcome", "reason"),
    [
        ("UPDATE shardkeeper.job_spec SET priority = 7", Creation.NOT_IN_FORCE, None),
        ("UPDATE shardkeeper.impl_spec SET entrypoint = 'm:D'", Creation.NOT_IN_FORCE, None),
        ("DELETE FROM shardkeeper.job_spec", Creation.NOT_IN_FORCE, None),
        ("SELECT shardkeeper.pause_job('job', 'holiday')", Creation.SKIPPED, "paused: holiday"),
    ],
)
def test_what_is_changed_before_the_fire_counts_though_its_run_was_prepared(
    race: Race, change: str, outcome: Creation, reason: str | None
) -> None:
    race.database.job()
    request = ahead(race)
    answer = waiting_for(race, request)
    race.database.sql.execute(change.encode())
    assert race.now() < request.fire_time, "the test was too slow to say anything"
    assert (answer.result().outcome, answer.result().reason) == (outcome, reason)


def test_a_change_that_is_stamped_before_the_fire_and_committed_after_it_counts_too(race: Race) -> None:
    race.database.job()
    request = ahead(race)
    answer = waiting_for(race, request)
    stamp_before(race, request)
    wait_until(lambda: race.now() > request.fire_time + timedelta(seconds=0.1), what="the fire time")
    assert not answer.done()
    race.go_on()
    assert answer.result().outcome is Creation.NOT_IN_FORCE


def test_another_jobs_change_is_no_matter_to_a_prepared_run(race: Race) -> None:
    race.database.job()
    race.database.job("other")
    before = race.database.one("SELECT nextval('shardkeeper.run_id')")
    answer = waiting_for(race, ahead(race))
    race.database.sql.execute("UPDATE shardkeeper.job_spec SET priority = 7 WHERE name = 'other'")
    created = answer.result()
    assert created.outcome is Creation.CREATED
    # by what it had prepared: made anew it would have another number
    assert created.run_id is not None
    assert race.database.one("SELECT count(*) FROM shardkeeper.job_run") == 1
    assert created.run_id - before < 2 * RUN_IDS_CACHED


def test_what_is_stamped_before_the_fire_and_committed_at_the_last_look_counts(race: Race) -> None:
    """The look for changes must not see what was before the look for stampings."""
    race.database.sql.execute("""
        CREATE OR REPLACE FUNCTION shardkeeper.no_stamping() RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_lock(shardkeeper.versions_lock_key());
            PERFORM pg_advisory_unlock(shardkeeper.versions_lock_key());
            RETURN true;
        END $$""")
    race.database.job()
    request = ahead(race)
    answer = waiting_for(race, request)
    stamp_before(race, request)
    wait_until(lambda: race.database.one(WAITING, ("second",)), what="the wait for the stamping")
    race.go_on()
    assert answer.result().outcome is Creation.NOT_IN_FORCE


def test_what_is_simple_does_not_wait_for_what_is_not(race: Race) -> None:
    race.database.job("lives")
    race.database.job("paused")
    race.database.job("simple")
    race.create("lives")
    race.database.sql.execute("SELECT shardkeeper.pause_job('paused', 'holiday')")
    fire = race.now() + timedelta(seconds=1)
    runs = PostgresRuns(race.another(), WINDOW_S, waited_for_s=10.0)
    requests = [race.request(job, fire=fire) for job in ("lives", "simple", "paused")]
    answers = runs.create(A, requests)
    assert [answer.outcome for answer in answers] == [Creation.EARLY, Creation.CREATED, Creation.EARLY]
    assert min(answer.now for answer in answers) > fire
    again = runs.create(A, requests)
    assert [answer.outcome for answer in again] == [Creation.SKIPPED, Creation.EXISTS, Creation.SKIPPED]


def test_a_prepared_run_and_who_shuts_out_creations_do_not_wait_for_each_other(race: Race) -> None:
    race.database.job()
    request = ahead(race)
    answer = waiting_for(race, request)
    # as sweep_apply does; it has the first key, and waits for the second until the creation lets go of it
    race.sql("SELECT shardkeeper.shut_out_creations('5 s')")
    assert race.now() >= request.fire_time, "it was not held up"
    assert not answer.done()
    race.go_on()
    assert answer.result().outcome is Creation.CREATED


def test_a_run_that_is_in_the_way_and_ends_before_the_fire_is_not_in_its_way(race: Race) -> None:
    race.database.job()
    (held,) = race.create().claimed
    request = ahead(race)
    answer = waiting_for(race, request, sleeping=ASLEEP)
    record(race.second, held)
    assert race.now() < request.fire_time, "the test was too slow to say anything"
    assert answer.result().outcome is Creation.CREATED


def test_a_clock_that_is_set_back_is_not_waited_for(race: Race) -> None:
    """As it is found when it wakes: further from the instant than it can have been."""
    query = "SELECT shardkeeper.wait_until(clock_timestamp() + interval '1 hour', interval '{}')"
    race.database.sql.execute("SET statement_timeout = '2s'")
    # pg_sleep itself goes by the same clock, so it is the looking that is tried
    race.database.sql.execute("CREATE FUNCTION shardkeeper.pg_sleep(numeric) RETURNS void LANGUAGE sql AS ''")
    race.database.sql.execute("SET search_path = shardkeeper, pg_catalog")
    assert race.database.one(query.format("1 minute")) is False


def test_a_batch_of_which_nothing_is_simple_waits_without_locks(race: Race) -> None:
    race.database.job()
    race.database.sql.execute("SELECT shardkeeper.pause_job('job', 'holiday')")
    request = ahead(race)
    answer = waiting_for(race, request, sleeping=ASLEEP)
    locks = race.database.one("""SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                                 WHERE d.datname = current_database() AND l.locktype = 'advisory'""")
    assert race.now() < request.fire_time, "the test was too slow to say anything"
    assert locks == 0
    assert answer.result().outcome is Creation.SKIPPED


@pytest.mark.parametrize(("later_us", "outcome"), [(-1, "early"), (0, "early"), (1, "made")])
def test_a_fire_is_due_when_the_clock_is_past_it(race: Race, later_us: int, outcome: str) -> None:
    """A version that is stamped at the very instant is in force at it."""
    race.database.job()
    request = race.request()
    judged = race.database.one(
        "SELECT c.outcome FROM unnest(shardkeeper.judge_creations(%s, '30 s', 'node-a', %s)) c",
        (rows.requests_json([request]), request.fire_time + timedelta(microseconds=later_us)),
    )
    assert judged == outcome
