"""Claims under limits shared by nodes, at the same time: what is counted stays true, and nobody waits in a circle."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor

import pytest

from shardkeeper.domain.runs import AttemptKey
from shardkeeper.ports.runs import Creation
from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Caller, Race, record, registration

POOLS = {"db": 2, "api": 3}
RUNNING = """SELECT coalesce(max(n), 0)
             FROM (SELECT count(*) AS n FROM shardkeeper.shard_run WHERE status = 'RUNNING' {}) c"""


@pytest.fixture
def race(migrated: Migrated) -> Race:
    race = Race(migrated)
    for name, size in POOLS.items():
        migrated.sql.execute("INSERT INTO shardkeeper.pool (name, size) VALUES (%s, %s)", (name, size))
    return race


def submitted(race: Race, job: str, count: int, **parameters: str) -> list[AttemptKey]:
    """So many runs of the job; their attempts, all PENDING."""
    named = ", ".join(f"'{name}', '{value}'" for name, value in parameters.items())
    runs = race.database.all(
        f"SELECT shardkeeper.trigger_job(%s, jsonb_build_object({named})) FROM generate_series(1, %s)",
        (job, count),
    )
    rows = race.database.sql.execute(
        "SELECT run_id, fire_time, item, attempt FROM shardkeeper.shard_run WHERE run_id = ANY (%s)", (runs,)
    )
    return [AttemptKey(*row) for row in rows]


def running(race: Race, grouped: str = "") -> int:
    """How many are RUNNING; with ``grouped``, of the group that has most."""
    found: int = race.database.one(RUNNING.format(grouped))
    return found


@pytest.mark.parametrize(
    ("first", "second", "columns"),
    [
        ("one", "two", {"pool": "db"}),
        ("one", "one", {"max_running": 2}),
        ("one", "one", {"concurrency_key": "account", "max_running_per_key": 2}),
        ("one", "one", {"rate_limit": 2, "rate_period": "1 day"}),
    ],
    ids=["pool", "max_running", "value", "rate"],
)
def test_of_two_claims_at_once_no_more_start_than_a_limit_allows(
    race: Race, first: str, second: str, columns: dict[str, object]
) -> None:
    for job in {first, second}:
        race.database.job(job, overlap="allow", **columns)
    firsts, seconds = (submitted(race, job, 2, account="a") for job in (first, second))
    assert len(race.first.runs.claim(A, firsts)) == 2
    answer = race.meanwhile(lambda: race.second.runs.claim(B, seconds))
    race.go_on()
    assert answer.result() == []
    assert running(race) == 2


def test_a_claim_that_was_given_up_leaves_its_places_to_the_one_that_waited(race: Race) -> None:
    race.database.job("one", overlap="allow", pool="db", rate_limit=2, rate_period="1 day")
    firsts, seconds = submitted(race, "one", 2), submitted(race, "one", 2)
    race.first.runs.claim(A, firsts)
    answer = race.meanwhile(lambda: race.second.runs.claim(B, seconds))
    race.give_up()
    assert len(answer.result()) == 2


def test_claims_under_different_limits_do_not_wait_for_each_other(race: Race) -> None:
    race.database.job("one", overlap="allow", pool="db")
    race.database.job("two", overlap="allow", pool="api")
    race.database.job("free", overlap="allow")
    firsts = submitted(race, "one", 1)
    others = [*submitted(race, "two", 1), *submitted(race, "free", 1)]
    race.first.runs.claim(A, firsts)
    assert len(race.hurried.runs.claim(B, others)) == 2


def test_creations_outcomes_stops_and_changes_of_specs_do_not_wait_for_a_claim_under_limits(
    race: Race,
) -> None:
    race.database.job("one", overlap="allow", pool="db")
    held, firsts = submitted(race, "one", 1), submitted(race, "one", 1)
    (claimed,) = race.second.runs.claim(A, held)
    waiting = submitted(race, "one", 1)
    request = race.request("one")
    race.first.runs.claim(A, firsts)
    (answer,) = race.hurried.runs.create(B, [request])
    assert (answer.outcome, answer.claimed) == (Creation.CREATED, ())
    record(race.hurried, claimed)
    race.stop(waiting[0].run_id)
    race.database.sql.execute("SET lock_timeout = '1s'")
    race.database.sql.execute("UPDATE shardkeeper.job_spec SET pool = 'api' WHERE name = 'one'")
    race.database.sql.execute("UPDATE shardkeeper.pool SET size = 7")


def test_many_claims_and_outcomes_at_once_keep_every_limit_and_none_fails(race: Race) -> None:
    """Three callers, jobs of two pools in any order; whatever is seen in between is within all limits."""
    limits: dict[str, dict[str, object]] = {
        "a": {"pool": "db"},
        "b": {"pool": "db", "max_running": 1},
        "c": {"pool": "api", "concurrency_key": "account"},
        "d": {"pool": "api"},
        "e": {"max_running": 2},
    }
    keys: list[AttemptKey] = []
    for job, columns in limits.items():
        race.database.job(job, overlap="allow", **columns)
        for account in ("x", "y"):
            keys += submitted(race, job, 12, account=account)

    def node(number: int) -> int:
        draw, adapter = random.Random(number), Caller.over(race.database.adapter())
        incarnation = f"node-{number}/2"
        adapter.leases.join(registration(incarnation))
        left, done = list(keys), 0
        while left:
            draw.shuffle(left)
            for claimed in adapter.runs.claim(incarnation, left[:10]):
                record(adapter, claimed, by=incarnation)
                done += 1
            seen = adapter.runs.pending(incarnation, 1000)
            if not seen:
                over = race_over(race, left)
                left = [key for key in left if key.run_id not in over]
        return done

    with ThreadPoolExecutor(3) as threads:
        answers = [threads.submit(node, number) for number in range(3)]
        while not all(answer.done() for answer in answers):
            for pool, size in POOLS.items():
                assert running(race, f"AND pool = '{pool}'") <= size
            assert running(race, "AND job_name = 'b'") <= 1
            assert running(race, "AND job_name = 'e'") <= 2
            assert running(race, "AND job_name = 'c' GROUP BY concurrency_value") <= 1
    assert sum(answer.result() for answer in answers) == len(keys)


def race_over(race: Race, keys: list[AttemptKey]) -> set[int]:
    """Which of these runs have ended, asked over a connection of its own."""
    with race.database.another() as connection:
        rows = connection.execute(
            "SELECT id FROM shardkeeper.job_run WHERE id = ANY (%s) AND status = 'COMPLETED'",
            ([key.run_id for key in keys],),
        )
        return {row[0] for row in rows}
