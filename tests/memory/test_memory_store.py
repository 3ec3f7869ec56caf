"""What the store in memory has beyond its ports: the link that is cut, hints, the history."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from shardkeeper.domain.attempts import CreateRun, Creation
from shardkeeper.domain.errors import StoreUnavailable
from shardkeeper.domain.leases import Registration
from shardkeeper.memory.authoring import Author
from shardkeeper.memory.clock import VirtualClock
from shardkeeper.memory.database import MemoryDatabase
from shardkeeper.memory.history import What
from shardkeeper.memory.link import Link
from shardkeeper.memory.listener import MemoryListener
from shardkeeper.memory.store import MemoryStore
from shardkeeper.ports.specs import Hint, ListenerState


class Place:
    """A database with one node that has joined and one job that is due now."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.database = MemoryDatabase(self.clock)
        self.author = Author(self.database)
        self.link = Link()
        self.store = MemoryStore(self.database, self.link)
        self.author.put_impl("impl")
        self.author.put_job("job", impl_spec="impl", every=timedelta(seconds=10))
        self.store.join(Registration("node-a", "node-a/1", "host", 1, 1.0, {}, "1.0"))
        self.clock.advance(1)  # what is not after the schema's own beginning is the past of the sweep

    def request(self) -> CreateRun:
        rows, fire_time = self.store.load(), self.clock.now()
        self.clock.advance(0.001)
        return CreateRun("job", fire_time, rows.jobs[0].version, rows.impls[0].version, 1, (0,))


@pytest.fixture
def place() -> Place:
    return Place()


def test_a_fire_is_due_when_the_clock_is_past_it(place: Place) -> None:
    """A version that is stamped at the very instant is in force at it."""
    request = replace(place.request(), fire_time=place.clock.now())
    (answer,) = place.store.create("node-a/1", [request])
    assert answer.outcome is Creation.EARLY
    place.clock.advance(0.000001)
    (answer,) = place.store.create("node-a/1", [request])
    assert answer.outcome is Creation.CREATED


def test_over_a_cut_link_nothing_happens(place: Place) -> None:
    request = place.request()
    place.link.up = False
    with pytest.raises(StoreUnavailable):
        place.store.create("node-a/1", [request])
    assert place.database.history.of(What.RUN_CREATED) == []


def test_a_lost_answer_hides_what_was_done(place: Place) -> None:
    request = place.request()
    place.link.lose_answers = 1
    with pytest.raises(StoreUnavailable):
        place.store.create("node-a/1", [request])
    assert len(place.database.history.of(What.RUN_CREATED)) == 1
    (answer,) = place.store.create("node-a/1", [request])
    assert answer.outcome is Creation.EXISTS
    assert len(answer.claimed) == 1


def test_a_link_that_is_cut_cuts_one_node_alone(place: Place) -> None:
    other = MemoryStore(place.database)
    place.link.up = False
    assert other.load().jobs_named == {"job"}


def test_the_history_tells_what_happened_with_its_virtual_time(place: Place) -> None:
    request = place.request()
    place.clock.advance(2)
    place.store.create("node-a/1", [request])
    (created,) = place.database.history.of(What.RUN_CREATED)
    (claimed,) = place.database.history.of(What.CLAIMED)
    assert created.at == request.fire_time + timedelta(seconds=2.001)
    assert (created.job_name, created.fire_time, created.version) == (
        "job",
        request.fire_time,
        request.job_version,
    )
    assert (claimed.run_id, claimed.item, claimed.attempt, claimed.claim_no) == (created.run_id, 0, 1, 1)
    assert claimed.incarnation == "node-a/1"


def test_a_listener_hears_what_was_committed(place: Place) -> None:
    heard: list[Hint | ListenerState] = []
    listener = MemoryListener(place.database, place.link)
    listener.start(heard.append)
    place.author.put_job("job", owner="ada")
    assert heard == [ListenerState(True), Hint("specs", frozenset({"job"}), frozenset())]


def test_a_listener_hears_nothing_while_its_link_is_cut_and_says_when_it_can_again(place: Place) -> None:
    heard: list[Hint | ListenerState] = []
    listener = MemoryListener(place.database, place.link)
    listener.start(heard.append)
    place.link.up = False
    listener.relisten()
    place.author.put_job("job", owner="ada")
    place.link.up = True
    listener.relisten()
    assert heard == [ListenerState(True), ListenerState(False), ListenerState(True)]


def test_a_hint_comes_when_its_time_has_come(place: Place) -> None:
    heard: list[Hint | ListenerState] = []
    later = MemoryListener(place.database, place.link, lambda todo: place.clock.call_later(1.0, todo))
    later.start(heard.append)
    place.clock.advance(0.5)
    assert heard == []
    place.clock.advance(0.5)
    assert heard == [ListenerState(True)]


def test_a_stopped_listener_hears_nothing_and_stopping_twice_is_fine(place: Place) -> None:
    heard: list[Hint | ListenerState] = []
    listener = MemoryListener(place.database, place.link)
    listener.start(heard.append)
    listener.stop()
    listener.stop()
    place.author.put_job("job", owner="ada")
    assert heard == [ListenerState(True)]
