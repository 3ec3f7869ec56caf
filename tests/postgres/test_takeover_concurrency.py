"""Takeovers and joins that meet each other, or a beat."""

from __future__ import annotations

import pytest

from tests.postgres.migrated import Migrated
from tests.postgres.race import A, B, Race, registration


@pytest.fixture
def race(migrated: Migrated) -> Race:
    return Race(migrated)


def test_of_two_that_take_over_at_once_one_does(race: Race) -> None:
    race.database.job()
    run = race.create()
    assert race.first.leases.take_over(B, A, 0).lost == 1
    second = race.meanwhile(lambda: race.second.leases.take_over("node-c/1", A, 0))
    race.go_on()
    answer = second.result()
    assert (answer.taken, answer.lost) == (False, 0)
    assert race.attempts(run.run_id) == ["LOST", "PENDING"]


def test_a_beat_under_way_saves_its_lease(race: Race) -> None:
    race.first.leases.beat(A)
    second = race.meanwhile(lambda: race.second.leases.take_over(B, A, 0))
    race.go_on()
    assert not second.result().taken
    assert race.second.leases.beat(A).alive


def test_a_beat_that_comes_during_the_takeover_learns_that_it_is_dead(race: Race) -> None:
    race.first.leases.take_over(B, A, 0)
    second = race.meanwhile(lambda: race.second.leases.beat(A))
    race.go_on()
    assert not second.result().alive


def test_of_two_incarnations_of_a_node_that_join_at_once_one_does(race: Race) -> None:
    assert race.first.leases.join(registration("node-c/1")).joined
    second = race.meanwhile(lambda: race.second.leases.join(registration("node-c/2")))
    race.go_on()
    answer = second.result()
    assert not answer.joined
    assert answer.predecessor is not None
    assert answer.predecessor.incarnation == "node-c/1"


def test_an_incarnation_joins_when_its_predecessor_fails_to(race: Race) -> None:
    race.first.leases.join(registration("node-c/1"))
    second = race.meanwhile(lambda: race.second.leases.join(registration("node-c/2")))
    race.give_up()
    assert second.result().joined
