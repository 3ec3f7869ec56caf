"""The sweep beside creations, spec changes and other sweepers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest

from shardkeeper.domain.attempts import Creation
from shardkeeper.domain.runs import RunStatus
from shardkeeper.node.works.sweep import MOST_ATTEMPTS
from shardkeeper.ports.duties import Glanced, MisfireRun, RangeRecord, SweepSlice
from shardkeeper.postgres.connection import StoreTimeout
from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Caller, Race


@pytest.fixture
def race(migrated: Migrated) -> Race:
    race = Race(migrated)
    race.database.job()
    return race


def begun(race: Race, by: str = A) -> SweepSlice:
    """A slice over a window that reaches up to now: so that creations on time touch its fires too."""
    found = race.second.sweep.sweep_begin(by, 100)
    assert found is not None
    return found


def missed(race: Race, done: SweepSlice) -> RangeRecord:
    request = race.request()
    until = done.window_until
    return RangeRecord("job", request.job_version, RunStatus.MISSED, until, until, 1, "test")


def apply(caller: Caller, done: SweepSlice, *records: RangeRecord, by: str = A) -> bool:
    return caller.sweep.sweep_apply(by, done, [], records)


def test_a_creation_under_way_is_waited_for_and_its_run_makes_the_sweep_begin_again(race: Race) -> None:
    race.first.runs.create(A, [race.request()])
    done = begun(race)
    record = missed(race, done)
    second = race.meanwhile(lambda: apply(race.second, done, record))
    race.go_on()
    assert not second.result()
    assert race.database.all("SELECT status FROM shardkeeper.job_run") == ["RUNNING"]


def test_a_creation_waits_for_a_sweep_under_way_and_finds_its_record(race: Race) -> None:
    done = begun(race)
    assert apply(race.first, done, missed(race, done))
    request = race.request(fire=done.window_until)
    second = race.meanwhile(lambda: race.second.runs.create(B, [request]))
    race.go_on()
    (answer,) = second.result()
    assert answer.outcome is Creation.OLD
    assert race.database.all("SELECT status FROM shardkeeper.job_run") == ["MISSED"]


def test_a_spec_change_under_way_is_waited_for_and_makes_the_sweep_begin_again(race: Race) -> None:
    race.sql("UPDATE shardkeeper.job_spec SET enabled = false")
    race.sql("SET CONSTRAINTS ALL IMMEDIATE")
    done = begun(race)
    second = race.meanwhile(lambda: apply(race.second, done, missed(race, done)))
    race.go_on()
    assert not second.result()
    assert race.database.one("SELECT count(*) FROM shardkeeper.job_run") == 0


changes = pytest.mark.parametrize(
    "change",
    [
        "UPDATE shardkeeper.job_spec SET priority = 1 WHERE name = 'job'",
        "UPDATE shardkeeper.impl_spec SET entrypoint = 'tasks:Mended'",
        "SELECT shardkeeper.pause_job('job')",
        (
            "INSERT INTO shardkeeper.spec_problem (version, of_impl, name, problem)"
            " SELECT max(version), false, 'job', 'wrong' FROM shardkeeper.job_version WHERE job_name = 'job'"
        ),
        (
            "INSERT INTO shardkeeper.spec_problem (version, of_impl, name, problem)"
            " SELECT max(version), true, 'impl', 'wrong' FROM shardkeeper.impl_version"
        ),
    ],
    ids=["version", "implementation", "pause", "mark", "mark of an implementation"],
)


@changes
def test_what_the_decisions_rest_on_makes_the_sweep_begin_again_once_it_has_changed(
    race: Race, change: str
) -> None:
    done = begun(race)
    race.database.sql.execute(change)
    assert not apply(race.second, done, missed(race, done))
    assert apply(race.second, begun(race))


@changes
def test_what_was_under_way_when_the_slice_was_read_makes_the_sweep_begin_again(
    race: Race, change: str
) -> None:
    race.sql(change)
    race.database.one("SELECT pg_current_xact_id()::text")  # so that the change is not the latest there was
    done = begun(race)
    race.go_on()
    assert not apply(race.second, done, missed(race, done))


@changes
def test_what_is_changed_between_listing_and_reading_makes_the_sweep_begin_again(
    race: Race, change: str
) -> None:
    """Even where it leaves nothing to be read of a job."""

    def choose(since: datetime, until: datetime, glanced: Sequence[Glanced]) -> list[str]:
        race.database.sql.execute(change)
        return [name for name, _ in glanced]

    done = race.second.sweep.sweep_begin(A, 100, choose)
    assert done is not None
    assert not apply(race.second, done, missed(race, done))
    assert apply(race.second, begun(race))


def test_a_change_of_an_implementation_of_no_job_of_the_slice_is_no_matter(race: Race) -> None:
    race.database.sql.execute(
        "INSERT INTO shardkeeper.impl_spec (name, entrypoint) VALUES ('another', 'tasks:Another')"
    )
    done = begun(race)
    race.database.sql.execute(
        "UPDATE shardkeeper.impl_spec SET entrypoint = 'tasks:Other' WHERE name = 'another'"
    )
    assert apply(race.second, done)


def test_a_change_of_another_slice_is_no_matter(race: Race) -> None:
    race.database.job("later")
    done = race.second.sweep.sweep_begin(A, 1)
    assert done is not None
    assert [job.job_name for job in done.jobs] == ["job"]
    race.database.sql.execute("UPDATE shardkeeper.job_spec SET priority = 1 WHERE name = 'later'")
    assert apply(race.second, done)


def test_a_transaction_that_has_been_open_for_long_makes_no_slice_begin_again(race: Race) -> None:
    race.sql("SELECT pg_current_xact_id()")
    race.database.sql.execute("UPDATE shardkeeper.job_spec SET priority = 1")
    assert apply(race.second, begun(race))


def test_a_run_made_meanwhile_of_a_job_of_which_nothing_is_decided_is_no_matter(race: Race) -> None:
    race.first.runs.create(A, [race.request()])
    done = begun(race)
    race.go_on()
    assert apply(race.second, done)
    assert race.database.all("SELECT status FROM shardkeeper.job_run") == ["RUNNING"]


def test_of_two_that_apply_one_slice_one_does(race: Race) -> None:
    done = begun(race)
    assert apply(race.first, done, missed(race, done))
    second = race.meanwhile(lambda: apply(race.second, done, missed(race, done)))
    race.go_on()
    assert not second.result()
    assert race.database.one("SELECT count(*) FROM shardkeeper.alert WHERE kind = 'missed'") == 1


def test_the_duty_passes_on_when_its_holder_is_taken_over(race: Race) -> None:
    done = begun(race)
    assert race.second.sweep.sweep_begin(B, 100) is None
    assert race.second.leases.take_over(B, A, 0).taken
    taken = race.second.sweep.sweep_begin(B, 100)
    assert taken is not None
    assert taken.window_until == done.window_until
    assert not apply(race.second, done)


def test_a_slice_that_was_applied_is_not_applied_again(race: Race) -> None:
    race.database.job("another")
    done = race.second.sweep.sweep_begin(A, 1)
    assert done is not None
    assert apply(race.second, done)
    assert not apply(race.second, done)
    after = race.second.sweep.sweep_begin(A, 1)
    assert after is not None
    assert [job.job_name for job in done.jobs + after.jobs] == ["another", "job"]


def test_a_window_that_was_swept_is_not_swept_again(race: Race) -> None:
    done = begun(race)
    assert apply(race.second, done)
    assert not apply(race.second, done)
    assert race.database.one("SELECT watermark FROM shardkeeper.sweep_state") == done.window_until


def test_who_was_slow_and_lost_the_duty_applies_nothing(race: Race) -> None:
    done = begun(race)
    race.database.sql.execute(
        "UPDATE shardkeeper.duty SET held_until = clock_timestamp() - interval '1 second'"
    )
    assert race.second.sweep.sweep_begin(B, 100) is not None
    assert not apply(race.second, done, missed(race, done))
    assert race.database.one("SELECT count(*) FROM shardkeeper.job_run") == 0


def test_a_sweep_that_would_wait_for_long_gives_up_and_holds_up_no_creation(race: Race) -> None:
    race.database.job("other")
    race.first.runs.create(A, [race.request("other")])
    done = begun(race)
    impatient = Caller.over(race.database.adapter(), patience_s=0.05)
    with pytest.raises(StoreTimeout):
        apply(impatient, done)
    (answer,) = race.hurried.runs.create(A, [race.request()])
    assert answer.outcome is Creation.CREATED
    race.go_on()


def test_what_the_sweep_is_past_is_not_created_whatever_the_window_of_the_creator(race: Race) -> None:
    fire = race.now()
    done = begun(race)
    (answer,) = race.second.runs.create(B, [race.request(fire=fire)])
    assert answer.outcome is Creation.OLD
    assert apply(race.second, done)
    (answer,) = race.second.runs.create(B, [race.request(fire=fire)])
    assert answer.outcome is Creation.OLD
    (answer,) = race.second.runs.create(B, [race.request()])
    assert answer.outcome is Creation.CREATED


def test_as_much_as_one_slice_may_insert_is_inserted_within_the_time_of_a_statement(race: Race) -> None:
    done = begun(race)
    request = race.request()
    runs = [
        MisfireRun(
            "job", done.window_until - timedelta(seconds=number), request.job_version, request.impl_version, 1
        )
        for number in range(MOST_ATTEMPTS)
    ]
    assert race.second.sweep.sweep_apply(A, done, runs, [])
    assert race.database.one("SELECT count(*) FROM shardkeeper.shard_run WHERE waiting") == MOST_ATTEMPTS - 1
