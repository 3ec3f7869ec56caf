"""Claims beside other claims, stops, and what happens to the lease under which they are made."""

from __future__ import annotations

import pytest

from shardkeeper.domain.attempts import Creation
from shardkeeper.domain.runs import AttemptStatus
from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Race, record

PENDING = AttemptStatus.PENDING


@pytest.fixture
def race(migrated: Migrated) -> Race:
    race = Race(migrated)
    race.database.job(overlap="allow")
    return race


@pytest.mark.parametrize("already", [(), (0,)], ids=["run created", "run running"])
def test_of_two_claims_of_one_attempt_at_once_one_gets_it(race: Race, already: tuple[int, ...]) -> None:
    race.database.job("two", overlap="allow", sharding_total_count=2)
    race.create("two", already, total=2)
    keys = [each.key for each in race.second.runs.pending(A, 10)]
    assert len(race.first.runs.claim(A, keys)) == len(keys)
    second = race.meanwhile(lambda: race.second.runs.claim(B, keys))
    race.go_on()
    assert second.result() == []


def test_what_is_stopped_while_a_run_under_way_is_claimed_is_not_claimed(race: Race) -> None:
    race.database.job("two", overlap="allow", sharding_total_count=2)
    run = race.create("two", (0,), total=2)
    keys = [each.key for each in race.second.runs.pending(A, 10)]
    race.sql("SELECT shardkeeper.stop_run(%s)", (run.run_id,))
    second = race.meanwhile(lambda: race.second.runs.claim(B, keys))
    race.go_on()
    assert second.result() == []
    assert race.attempts(run.run_id) == ["RUNNING", "STOPPED"]


def test_what_is_stopped_while_it_is_claimed_is_not_claimed(race: Race) -> None:
    run = race.create(items=())
    keys = [each.key for each in race.second.runs.pending(A, 10)]
    race.sql("SELECT shardkeeper.stop_run(%s)", (run.run_id,))
    second = race.meanwhile(lambda: race.second.runs.claim(A, keys))
    race.go_on()
    assert second.result() == []
    assert race.run(run.run_id) == "STOPPED"


def test_what_is_claimed_while_it_is_stopped_runs_and_is_told_to_stop(race: Race) -> None:
    run = race.create(items=())
    keys = [each.key for each in race.second.runs.pending(A, 10)]
    (claimed,) = race.first.runs.claim(A, keys)
    second = race.meanwhile(lambda: race.stop(run.run_id))
    race.go_on()
    assert second.result()
    assert race.attempts(run.run_id) == ["RUNNING"]
    (held,) = race.second.leases.beat(A).held
    assert held.stop_requested
    assert record(race.second, claimed, AttemptStatus.STOPPED).run_closed == "STOPPED"


def test_a_claim_under_way_is_waited_for_by_a_takeover_and_taken_over(race: Race) -> None:
    run = race.create(items=())
    keys = [each.key for each in race.second.runs.pending(A, 10)]
    race.first.runs.claim(A, keys)
    second = race.meanwhile(lambda: race.second.leases.take_over(B, A, 0))
    race.go_on()
    answer = second.result()
    assert (answer.taken, answer.lost, answer.reissued) == (True, 1, 1)
    assert race.attempts(run.run_id) == ["LOST", "PENDING"]


def test_a_creation_under_way_is_waited_for_by_a_takeover_and_taken_over(race: Race) -> None:
    (run,) = race.first.runs.create(A, [race.request()])
    second = race.meanwhile(lambda: race.second.leases.take_over(B, A, 0))
    race.go_on()
    assert second.result().lost == 1
    assert race.attempts(run.run_id) == ["LOST", "PENDING"]


def test_a_claim_waits_for_a_takeover_under_way_and_gets_nothing(race: Race) -> None:
    race.create(items=())
    keys = [each.key for each in race.second.runs.pending(A, 10)]
    race.first.leases.take_over(B, A, 0)
    second = race.meanwhile(lambda: race.second.runs.claim(A, keys))
    race.go_on()
    assert second.result() == []


def test_a_creation_waits_for_a_takeover_under_way_and_is_told_that_it_is_dead(race: Race) -> None:
    request = race.request()
    race.first.leases.take_over(B, A, 0)
    second = race.meanwhile(lambda: race.second.runs.create(A, [request]))
    race.go_on()
    (answer,) = second.result()
    assert answer.outcome is Creation.DEAD
    assert race.database.one("SELECT count(*) FROM shardkeeper.job_run") == 0


def test_leaving_waits_for_a_claim_under_way_and_is_refused(race: Race) -> None:
    race.create(items=())
    race.first.runs.claim(A, [each.key for each in race.second.runs.pending(A, 10)])
    second = race.meanwhile(lambda: race.second.leases.leave(A))
    race.go_on()
    assert not second.result()
    assert race.second.leases.beat(A).alive


def test_beats_and_drains_do_not_wait_for_a_claim_under_way(race: Race) -> None:
    race.create(items=())
    race.first.runs.claim(A, [each.key for each in race.second.runs.pending(A, 10)])
    assert race.hurried.leases.beat(A).alive
    assert race.hurried.leases.drain(A)


def test_a_claim_does_not_wait_for_a_beat_or_a_drain_under_way(race: Race) -> None:
    race.create(items=())
    race.first.leases.beat(A)
    race.first.leases.drain(A)
    assert len(race.hurried.runs.claim(A, [each.key for each in race.second.runs.pending(A, 10)])) == 1
