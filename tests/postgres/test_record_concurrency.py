"""Outcomes beside other outcomes of the run, stops and takeovers."""

from __future__ import annotations

import pytest

from shardkeeper.domain.outcomes import Recording
from shardkeeper.domain.runs import AttemptStatus
from shardkeeper.postgres.connection import Connection, ConnectionOptions
from shardkeeper.postgres.errors import StoreTimeout
from shardkeeper.postgres.runs import PostgresRuns
from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Race, ended, record

FAILED, PENDING = AttemptStatus.FAILED, AttemptStatus.PENDING


@pytest.fixture
def race(migrated: Migrated) -> Race:
    return Race(migrated)


def test_two_nodes_that_end_the_last_two_items_at_once_close_the_run_once(race: Race) -> None:
    race.database.job(sharding_total_count=2)
    run = race.create(items=(0, 1), total=2)
    one, two = run.claimed
    assert record(race.first, one, result=1).run_closed is None
    second = race.meanwhile(lambda: record(race.second, two, result=2))
    race.go_on()
    assert second.result().run_closed == "COMPLETED"
    assert race.run(run.run_id, "open_items") == 0
    assert race.run(run.run_id, "result") == {"0": 1, "1": 2}


def test_the_same_outcome_sent_twice_at_once_counts_once(race: Race) -> None:
    race.database.job(sharding_total_count=2)
    run = race.create(items=(0, 1), total=2)
    one, _ = run.claimed
    assert record(race.first, one).recording is Recording.RECORDED
    second = race.meanwhile(lambda: record(race.second, one))
    race.go_on()
    assert second.result().recording is Recording.REPEATED
    assert race.run(run.run_id, "open_items") == 1


def test_failures_of_one_job_that_end_at_once_are_all_counted(race: Race) -> None:
    race.database.job(overlap="allow", alert='{"after": 2}')
    record(race.second, race.create().claimed[0])
    (one,), (two,) = race.create().claimed, race.create().claimed
    record(race.first, one, FAILED, error_message="first")
    second = race.meanwhile(lambda: record(race.second, two, FAILED, error_message="second"))
    race.go_on()
    second.result()
    assert race.database.one("SELECT failures_in_a_row FROM shardkeeper.job_state") == 2
    assert race.database.all("SELECT body ->> 'error_message' FROM shardkeeper.alert") == ["second"]


def test_a_run_stopped_while_a_retry_is_inserted_closes_all_the_same(race: Race) -> None:
    race.database.job(max_attempts=3)
    run = race.create()
    assert record(race.first, run.claimed[0], FAILED, retry_after_s=60.0).retried
    second = race.meanwhile(lambda: race.stop(run.run_id))
    race.go_on()
    assert second.result()
    assert race.attempts(run.run_id) == ["FAILED", "STOPPED"]
    assert race.run(run.run_id) == "STOPPED"


def test_no_retry_is_inserted_into_a_run_that_was_just_stopped(race: Race) -> None:
    race.database.job(max_attempts=3)
    run = race.create()
    race.sql("SELECT shardkeeper.stop_run(%s)", (run.run_id,))
    second = race.meanwhile(lambda: record(race.second, run.claimed[0], FAILED, retry_after_s=60.0))
    race.go_on()
    assert not second.result().retried
    assert race.attempts(run.run_id) == ["FAILED"]
    assert race.run(run.run_id) == "FAILED"


def test_what_is_given_back_to_a_run_that_was_just_stopped_is_closed(race: Race) -> None:
    race.database.job()
    run = race.create()
    race.sql("SELECT shardkeeper.stop_run(%s)", (run.run_id,))
    second = race.meanwhile(lambda: record(race.second, run.claimed[0], PENDING))
    race.go_on()
    assert second.result().run_closed == "STOPPED"
    assert race.attempts(run.run_id) == ["STOPPED"]


def test_an_outcome_under_way_is_waited_for_by_a_takeover_and_stands(race: Race) -> None:
    race.database.job()
    run = race.create()
    record(race.first, run.claimed[0])
    second = race.meanwhile(lambda: race.second.leases.take_over(B, A, 0))
    race.go_on()
    answer = second.result()
    assert (answer.taken, answer.lost) == (True, 0)
    assert race.run(run.run_id) == "COMPLETED"


def test_an_outcome_that_comes_during_the_takeover_is_superseded(race: Race) -> None:
    race.database.job()
    run = race.create()
    race.first.leases.take_over(B, A, 0)
    second = race.meanwhile(lambda: record(race.second, run.claimed[0]))
    race.go_on()
    assert second.result().recording is Recording.SUPERSEDED
    assert race.attempts(run.run_id) == ["LOST", "PENDING"]


def test_one_run_that_is_locked_for_too_long_does_not_keep_others_from_being_recorded(race: Race) -> None:
    race.database.job(overlap="allow")
    runs = [race.create() for _ in range(4)]
    race.sql("SELECT 1 FROM shardkeeper.job_run WHERE id = %s FOR UPDATE", (runs[0].run_id,))
    connection = Connection(ConnectionOptions(race.database.url, lock_timeout_s=0.05))
    race.database.opened.callback(connection.close)
    with pytest.raises(StoreTimeout):
        PostgresRuns(connection).record(A, [ended(run.claimed[0]) for run in runs])
    assert [race.run(run.run_id) for run in runs] == ["RUNNING", "COMPLETED", "COMPLETED", "COMPLETED"]


def test_closing_locks_the_live_row_before_the_run_so_that_it_never_meets_a_creation_crosswise(
    race: Race,
) -> None:
    race.database.job()
    run = race.create()
    race.sql("SELECT 1 FROM shardkeeper.live_run FOR UPDATE")
    second = race.meanwhile(lambda: record(race.second, run.claimed[0]))
    race.sql("SELECT 1 FROM shardkeeper.job_run WHERE id = %s FOR UPDATE NOWAIT", (run.run_id,))
    race.go_on()
    assert second.result().run_closed == "COMPLETED"


def test_a_batch_that_closes_runs_in_both_ways_locks_what_it_counts_into_in_the_order_of_the_jobs(
    race: Race,
) -> None:
    """Of two such batches one would wait for the other's job in a circle."""
    for job in ("a", "z"):
        race.database.job(job, every=None)
        race.database.one("SELECT shardkeeper.submit(%s)", (job,))
    held = sorted(race.second.runs.pull(A, 2, []), key=lambda one: one.run.job_name)
    race.database.sql.execute("INSERT INTO shardkeeper.job_state (job_name) VALUES ('a'), ('z')")
    race.sql("SELECT FROM shardkeeper.job_state WHERE job_name = 'a' FOR UPDATE")
    outcomes = [ended(held[0]), ended(held[1], FAILED)]
    recording = race.meanwhile(lambda: race.second.runs.record(A, outcomes))
    race.database.sql.execute("SELECT FROM shardkeeper.job_state WHERE job_name = 'z' FOR UPDATE NOWAIT")
    race.go_on()
    assert [answer.run_closed for answer in recording.result()] == ["COMPLETED", "FAILED"]
