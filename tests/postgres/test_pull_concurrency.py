"""Pulls beside other pulls, stops, takeovers and the recording of outcomes."""

from __future__ import annotations

import pytest

from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Race, record


@pytest.fixture
def race(migrated: Migrated) -> Race:
    race = Race(migrated)
    race.database.job(every=None)
    return race


def submit(race: Race, count: int, job: str = "job") -> list[int]:
    return [race.database.one("SELECT shardkeeper.submit(%s)", (job,)) for _ in range(count)]


def test_what_one_is_pulling_another_passes_over_and_waits_for_nobody(race: Race) -> None:
    runs = submit(race, 4)
    first = race.first.runs.pull(A, 2, [])
    second = race.hurried.runs.pull(B, 10, [])
    race.go_on()
    assert sorted(one.key.run_id for one in first) == runs[:2]
    assert sorted(one.key.run_id for one in second) == runs[2:]


def test_a_pull_that_is_rolled_back_leaves_all_to_the_next(race: Race) -> None:
    runs = submit(race, 2)
    assert len(race.first.runs.pull(A, 2, [])) == 2
    race.give_up()
    assert sorted(one.key.run_id for one in race.hurried.runs.pull(B, 2, [])) == runs


def test_what_is_being_stopped_is_passed_over(race: Race) -> None:
    first, second = submit(race, 2)
    race.sql("SELECT shardkeeper.stop_run(%s)", (first,))
    assert [one.key.run_id for one in race.hurried.runs.pull(B, 2, [])] == [second]
    race.go_on()
    assert race.run(first) == "STOPPED"


def test_what_is_pulled_while_it_is_stopped_runs_and_is_told_to_stop(race: Race) -> None:
    (run_id,) = submit(race, 1)
    (held,) = race.first.runs.pull(A, 1, [])
    stopping = race.meanwhile(lambda: race.stop(run_id))
    race.go_on()
    assert stopping.result()
    assert race.attempts(run_id) == ["RUNNING"]
    (told,) = race.second.leases.beat(A).held
    assert told.stop_requested
    assert record(race.second, held).run_closed == "COMPLETED"


def test_a_pull_under_way_is_waited_for_by_a_takeover_and_taken_over(race: Race) -> None:
    (run_id,) = submit(race, 1)
    race.first.runs.pull(A, 1, [])
    taking = race.meanwhile(lambda: race.second.leases.take_over(B, A, 0))
    race.go_on()
    answer = taking.result()
    assert (answer.taken, answer.lost, answer.reissued) == (True, 1, 1)
    assert race.attempts(run_id) == ["LOST", "PENDING"]
    (again,) = race.second.runs.pull(B, 1, [])
    assert (again.key.attempt, again.takeovers) == (2, 1)


def test_a_pull_waits_for_a_takeover_under_way_and_gets_nothing(race: Race) -> None:
    submit(race, 1)
    race.first.leases.take_over(B, A, 0)
    pulling = race.meanwhile(lambda: race.second.runs.pull(A, 1, []))
    race.go_on()
    assert pulling.result() == []


def test_pulls_do_not_wait_for_outcomes_of_the_same_job_nor_for_its_submissions(race: Race) -> None:
    submit(race, 3)
    (held,) = race.second.runs.pull(A, 1, [])
    record(race.first, held)
    race.sql("SELECT shardkeeper.submit('job')")
    assert len(race.hurried.runs.pull(B, 1, [])) == 1


def test_an_outcome_of_a_run_that_closes_at_once_comes_too_late_after_a_takeover(race: Race) -> None:
    (run_id,) = submit(race, 1)
    (held,) = race.second.runs.pull(A, 1, [])
    race.first.leases.take_over(B, A, 0)
    recording = race.meanwhile(lambda: record(race.second, held))
    race.go_on()
    assert recording.result().recording == "superseded"
    assert race.attempts(run_id) == ["LOST", "PENDING"]
    assert race.run(run_id) in ("CREATED", "RUNNING")


def test_a_queue_without_room_makes_pulls_of_other_jobs_wait_for_nobody(race: Race) -> None:
    race.database.job("narrow", every=None, max_running=1)
    submit(race, 2, "narrow")
    assert len(race.second.runs.pull(A, 1, [])) == 1
    (plain,) = submit(race, 1)
    race.first.runs.pull(A, 1, ["job"])
    assert [one.key.run_id for one in race.hurried.runs.pull(B, 5, [])] == [plain]


def test_the_jobs_to_be_pulled_are_those_that_wait_and_no_other(race: Race) -> None:
    assert race.database.one("SELECT shardkeeper.jobs_to_pull('{}')") is None
    submit(race, 2)
    assert race.database.one("SELECT shardkeeper.jobs_to_pull('{}')") == ["job"]
    assert race.database.one("SELECT shardkeeper.jobs_to_pull('{job}')") is None
