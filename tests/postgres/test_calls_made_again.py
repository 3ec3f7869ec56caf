"""A client's call is made again while the first may still be on its way: the two make one run, whoever comes first."""

from __future__ import annotations

import pytest

from shardkeeper.ports.operator import Call
from shardkeeper.postgres.operator import PostgresOperator
from tests.postgres.migrated import Migrated
from tests.postgres.race import Race

FIRST = "SELECT shardkeeper.submit('job', call_id => 'call')"
AGAIN = "SELECT shardkeeper.submit('job', call_id => 'call', call_age => '1 s')"
RUNS = "SELECT id FROM shardkeeper.job_run"


@pytest.fixture
def race(migrated: Migrated) -> Race:
    race = Race(migrated)
    migrated.job(every=None)
    return race


def submitted(race: Race, age_s: float | None) -> int:
    return PostgresOperator(race.another()).submit("job", {}, None, 0, None, "ada", Call("call", age_s))


def test_a_first_call_under_way_is_waited_for_and_found(race: Race) -> None:
    race.sql(FIRST)
    again = race.meanwhile(lambda: submitted(race, 1.0))
    race.go_on()
    run = again.result()
    assert race.database.all(RUNS) == [run]


def test_when_the_first_call_fails_the_one_made_again_submits(race: Race) -> None:
    race.sql(FIRST)
    again = race.meanwhile(lambda: submitted(race, 1.0))
    race.give_up()
    run = again.result()
    assert race.database.all(RUNS) == [run]


def test_a_first_call_that_comes_while_it_is_made_again_waits_and_finds_it(race: Race) -> None:
    race.sql(AGAIN)
    first = race.meanwhile(lambda: submitted(race, None))
    race.go_on()
    run = first.result()
    assert race.database.all(RUNS) == [run]


def test_calls_for_the_first_time_wait_for_nobody_and_leave_no_key(race: Race) -> None:
    race.sql(FIRST)
    PostgresOperator(race.another()).submit("job", {}, None, 0, None, "ada", Call("other"))
    race.go_on()
    assert len(race.database.all(RUNS)) == 2
    assert race.database.one("SELECT count(*) FROM shardkeeper.idempotency_key") == 0
