"""What every coordinator must do: the twin in memory and ZooKeeper are judged by the same tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace

import pytest

from shardkeeper.devservers import ZooKeeperServer
from shardkeeper.ports.coordinator import Load, NodeState, Refusal, Session
from tests.contract.coordinator_worlds import Breaker, MemoryWorld, RealWorld, World, view
from tests.servers import ZooKeeperNamespace


class _Own(Breaker):
    def __init__(self, server: ZooKeeperServer) -> None:
        self._server = server

    def pause(self) -> None:
        self._server.pause()

    def resume(self) -> None:
        self._server.resume()

    def wipe(self) -> None:
        self._server.kill()
        shutil.rmtree(self._server.folder / "data")
        self._server.start()


@pytest.fixture(params=["memory", pytest.param("zookeeper", marks=pytest.mark.zookeeper)])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    made: World
    if request.param == "memory":
        made = MemoryWorld()
    else:
        place: ZooKeeperNamespace = request.getfixturevalue("zookeeper")
        made = RealWorld(place.hosts, place.namespace)
    yield made
    made.close()


@pytest.fixture(params=["memory", pytest.param("zookeeper", marks=pytest.mark.zookeeper)])
def fragile_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """One whose servers may be hurt."""
    made: World
    if request.param == "memory":
        made = MemoryWorld()
    else:
        server: ZooKeeperServer = request.getfixturevalue("own_zookeeper")
        made = RealWorld(server.hosts, "fragile", _Own(server))
    yield made
    made.close()


def test_a_node_sees_itself_and_is_seen_with_all_that_it_said(world: World) -> None:
    a, b = world.seats_of("a", "b")
    assert a.seen.nodes == b.seen.nodes == (a.info, b.info)
    assert a.seen.session is Session.CONNECTED
    assert a.seen.session_timeout_s == pytest.approx(2.0)
    assert a.seen.problems == ()


def test_nothing_is_connected_before_the_first_connection(world: World) -> None:
    seat = world.unstarted("a")
    assert not seat.snapshots
    seat.coordinator.start(seat.info, seat.notify)
    seat.sees("a")
    assert seat.snapshots[0].session is Session.NEVER
    assert not seat.snapshots[0].connected


def test_starting_twice_is_starting_once(world: World) -> None:
    a = world.seat("a")
    a.coordinator.start(a.info, a.notify)
    a.sees("a")
    b = world.seat("b")
    b.sees("a", "b")
    assert len(b.seen.candidates) == 2


def test_candidates_stand_in_the_order_of_their_coming_and_each_knows_its_own(world: World) -> None:
    a, b, c = world.seats_of("a", "b", "c")
    for seat in (a, b, c):
        assert seat.row == ["a", "b", "c"]
        assert [candidate.node_id for candidate in seat.seen.candidates if candidate.mine] == [
            seat.info.node_id
        ]
    assert a.seen.leading
    assert not b.seen.leading


def test_the_first_view_is_published_where_there_was_none_and_reaches_everybody(world: World) -> None:
    a, b = world.seats_of("a", "b")
    assert (a.seen.view, a.seen.view_version) == (None, None)
    first = view(1, "a", "b")
    answer = a.publish(first, None)
    assert answer.ok
    assert answer.view == first
    assert answer.reason is None
    b.until(lambda: b.seen.view == first, "the view at the other node")
    assert a.seen.view == first
    assert a.seen.view_version == b.seen.view_version is not None


def test_the_answer_comes_after_the_snapshot_that_shows_the_new_version(world: World) -> None:
    (a,) = world.seats_of("a")
    for epoch in range(1, 6):
        assert a.publish(view(epoch, "a"), a.seen.view_version).ok
        assert a.seen.view == view(epoch, "a")


def test_a_view_made_from_an_older_one_is_refused(world: World) -> None:
    (a,) = world.seats_of("a")
    assert a.publish(view(1, "a"), None).ok
    old = a.seen.view_version
    assert a.publish(view(2, "a"), old).ok
    late = a.publish(view(3, "a"), old)
    assert (late.ok, late.reason) == (False, Refusal.SUPERSEDED)
    again = a.publish(view(4, "a"), None)
    assert (again.ok, again.reason) == (False, Refusal.SUPERSEDED)
    assert a.seen.view == view(2, "a")


def test_only_the_first_candidate_publishes(world: World) -> None:
    a, b = world.seats_of("a", "b")
    answer = b.publish(view(1, "b"), None)
    assert (answer.ok, answer.reason) == (False, Refusal.NOT_CANDIDATE)
    assert a.publish(view(1, "a"), None).ok


def test_what_a_node_says_anew_is_seen_by_the_others(world: World) -> None:
    a, b = world.seats_of("a", "b")
    said = replace(
        a.info, state=NodeState.DRAINING, applied_epoch=4, labels={"zone": "b", "disk": "ssd"}, weight=2.5
    )
    a.coordinator.update(said)
    b.until(lambda: said in b.seen.nodes, "the news")
    assert a.own_candidate == b.seen.candidates[0].seq, "saying something costs nobody the place in the row"


def test_changes_of_load_alone_are_gathered_and_the_last_word_is_written(world: World) -> None:
    a, b = world.seats_of("a", "b")
    a.coordinator.update(replace(a.info, load=Load.BUSY))
    b.until(lambda: b.seen.nodes[0].load is Load.BUSY, "the first change")
    before, begun = world.node_version("a"), world.now()
    for number in range(30):
        a.coordinator.update(replace(a.info, load=Load.BUSY if number % 2 else Load.IDLE))
        world.breathe()
    a.coordinator.update(replace(a.info, load=Load.IDLE))
    b.until(lambda: b.seen.nodes[0].load is Load.IDLE, "the last word")
    assert world.node_version("a") - before <= world.now() - begun + 2


def test_whoever_leaves_is_gone_for_the_others_and_goes_on_seeing(world: World) -> None:
    a, b = world.seats_of("a", "b")
    a.coordinator.leave()
    b.sees("b")
    assert b.seen.leading
    a.coordinator.update(replace(a.info, weight=3.0))
    assert b.publish(view(1, "b"), None).ok
    a.until(lambda: a.seen.view == view(1, "b"), "the view at the node that left")
    a.sees("b")
    refused = a.publish(view(2, "a"), a.seen.view_version)
    assert (refused.ok, refused.reason) == (False, Refusal.NOT_CANDIDATE)


def test_another_incarnation_joins_anew_at_the_end_of_the_row(world: World) -> None:
    a, b = world.seats_of("a", "b")
    again = replace(a.info, incarnation="a-2")
    a.coordinator.update(again)
    b.until(lambda: again in b.seen.nodes and b.row == ["b", "a"], "the new incarnation")
    assert b.seen.leading
    b.coordinator.leave()
    a.sees("a")
    b.coordinator.update(replace(b.info, incarnation="b-2"))
    a.until(lambda: a.row == ["a", "b"] and a.names == ["a", "b"], "who had left, in a new life")


def test_whoever_stops_is_gone_at_once_and_hears_nothing_more(world: World) -> None:
    a, b = world.seats_of("a", "b")
    a.coordinator.stop()
    heard = len(a.snapshots)
    b.sees("b")
    assert b.publish(view(1, "b"), None).ok
    a.coordinator.publish(view(2, "a"), None)
    a.coordinator.update(replace(a.info, weight=2.0))
    a.coordinator.stop()
    b.coordinator.update(replace(b.info, weight=2.0))
    b.until(lambda: b.seen.nodes[0].weight == 2.0, "something later")
    assert len(a.snapshots) == heard
    assert not a.answers


def test_stopping_what_never_started_does_nothing(world: World) -> None:
    seat = world.unstarted("a")
    seat.coordinator.stop()
    seat.coordinator.stop()
    assert not seat.snapshots


def test_a_short_cut_costs_nothing_but_a_moment_of_doubt(world: World) -> None:
    a, b = world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    place = a.own_candidate
    world.cut(a)
    a.until(lambda: a.seen.session is Session.SUSPENDED, "the doubt")
    assert not a.seen.connected
    assert not a.seen.leading
    assert a.seen.view == view(1, "a", "b"), "what was seen last is still shown"
    assert a.names == ["a", "b"]
    world.heal(a)
    a.sees("a", "b")
    assert a.own_candidate == place
    assert Session.LOST not in [snapshot.session for snapshot in a.snapshots]
    assert b.row == ["a", "b"]


def test_what_changes_during_a_short_cut_is_seen_after_it_and_hints_come_again(world: World) -> None:
    a, b = world.seats_of("a", "b")
    world.cut(b)
    b.until(lambda: b.seen.session is Session.SUSPENDED, "the doubt")
    assert a.publish(view(1, "a", "b"), None).ok
    a.coordinator.update(replace(a.info, weight=2.0))
    a.until(lambda: a.seen.nodes[0].weight == 2.0, "its own news")
    world.heal(b)
    b.until(lambda: b.seen.connected and b.seen.view == view(1, "a", "b"), "what it missed")
    assert b.seen.nodes[0].weight == 2.0
    a.coordinator.update(replace(a.info, weight=3.0))
    assert a.publish(view(2, "a", "b"), a.seen.view_version).ok
    b.until(lambda: b.seen.view == view(2, "a", "b") and b.seen.nodes[0].weight == 3.0, "what came later")


def test_publishing_while_cut_off_is_refused_and_answered(world: World) -> None:
    (a,) = world.seats_of("a")
    world.cut(a)
    a.until(lambda: a.seen.session is Session.SUSPENDED, "the doubt")
    answer = a.publish(view(1, "a"), None)
    assert (answer.ok, answer.reason) == (False, Refusal.NOT_CONNECTED)


def test_a_long_cut_ends_the_session_and_the_node_comes_back_behind_the_others(world: World) -> None:
    a, b = world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    place = a.own_candidate
    world.cut(a)
    b.sees("b")
    assert b.seen.leading
    assert b.publish(view(2, "b"), b.seen.view_version).ok
    world.heal(a)
    a.until(lambda: a.seen.connected and a.row == ["b", "a"] and a.names == ["a", "b"], "its return")
    assert Session.LOST in [snapshot.session for snapshot in a.snapshots]
    assert a.own_candidate != place
    assert a.seen.view == view(2, "b")


def test_a_leader_that_slept_through_its_session_cannot_publish(world: World) -> None:
    a, b = world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    version = a.seen.view_version
    world.freeze(a)
    b.sees("b")
    a.coordinator.publish(view(2, "a"), version)
    world.heal(a)
    a.until(lambda: a.answers[1:], "the answer")
    assert not a.answers[-1].ok
    a.sees("a", "b")
    assert b.seen.view == a.seen.view == view(1, "a", "b")


def test_a_publication_that_nobody_answers_is_told_as_such(world: World) -> None:
    (a,) = world.seats_of("a")
    world.freeze(a)
    answer = a.publish(view(1, "a"), None)
    assert not answer.ok
    # not connected: the silence was found by a read before the publication was tried
    assert answer.reason in (Refusal.UNKNOWN, Refusal.NOT_CONNECTED)
    world.heal(a)
    a.sees("a")


def test_znodes_deleted_by_hand_come_back(world: World) -> None:
    a, b = world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    places = {seat.own_candidate for seat in (a, b)}
    world.delete_node("a")
    world.delete_candidates()
    for seat in (a, b):
        seat.until(
            lambda seat=seat: len(seat.row) == 2 and seat.own_candidate not in places,  # type: ignore[misc]
            "new candidates",
        )
        seat.sees("a", "b")
    world.delete_view()
    a.until(lambda: (a.seen.view, a.seen.view_version) == (None, None), "the loss of the view")
    leader = a if a.seen.leading else b
    assert leader.publish(view(2, "a", "b"), None).ok


def test_a_spoilt_view_is_told_and_can_be_published_over(world: World) -> None:
    (a,) = world.seats_of("a")
    assert a.publish(view(1, "a"), None).ok
    world.spoil_view()
    a.until(lambda: a.seen.view is None, "the loss of the view")
    assert a.seen.connected
    assert any("view" in problem for problem in a.seen.problems)
    assert a.publish(view(2, "a"), a.seen.view_version).ok
    assert a.seen.problems == ()


def test_a_node_writes_over_what_somebody_put_into_its_own_znode(world: World) -> None:
    a, b = world.seats_of("a", "b")
    world.spoil_node("a")
    before = len(b.snapshots)
    b.until(lambda: b.seen.nodes == (a.info, b.info), "its own words")
    a.sees("a", "b")
    assert a.seen.problems == ()
    assert len(b.snapshots) >= before


def test_a_node_made_by_hand_is_passed_over_and_told(world: World) -> None:
    (a,) = world.seats_of("a")
    world.spoil_node("nobody")
    a.until(lambda: any("nobody" in problem for problem in a.seen.problems), "the problem")
    assert a.names == ["a"]
    assert a.seen.connected


def test_what_an_earlier_life_left_behind_is_waited_out_and_never_adopted(world: World) -> None:
    a, b = world.seats_of("a", "b")
    world.kill(a)
    again = world.seat("a", "a-2")
    again.until(lambda: again.seen.connected, "the connection")
    again.until(lambda: any("'a'" in problem for problem in again.seen.problems), "word of the wait")
    assert [node.incarnation for node in again.seen.nodes] == ["a-1", "b-1"]
    assert again.own_candidate is None
    b.until(lambda: [node.incarnation for node in b.seen.nodes] == ["a-2", "b-1"], "the new life")
    for seat in (again, b):
        seat.until(
            lambda seat=seat: [c.incarnation for c in seat.seen.candidates] == ["b-1", "a-2"],  # type: ignore[misc]
            "its place in the row",
        )
    assert again.seen.problems == ()


def test_a_second_live_node_of_the_same_name_stays_out_and_is_told(world: World) -> None:
    first, other = world.seats_of("a", "b")
    second = world.seat("a", "a-2")
    second.until(lambda: any("second live" in problem for problem in second.seen.problems), "the problem")
    assert [node.incarnation for node in second.seen.nodes] == ["a-1", "b-1"]
    assert second.own_candidate is None
    assert other.row == ["a", "b"]
    first.coordinator.stop()
    second.until(
        lambda: second.own_candidate is not None and second.names == ["a", "b"], "the name to be free"
    )
    assert second.seen.problems == ()


def test_when_all_servers_are_away_the_last_view_is_still_shown(fragile_world: World) -> None:
    a, b = fragile_world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    b.until(lambda: b.seen.view is not None, "the view")
    fragile_world.outage()
    for seat in (a, b):
        seat.until(lambda seat=seat: seat.seen.session is Session.SUSPENDED, "the doubt")  # type: ignore[misc]
        assert seat.seen.view == view(1, "a", "b")
    fragile_world.restore()
    for seat in (a, b):
        seat.sees("a", "b")
        assert seat.seen.view == view(1, "a", "b")


def test_after_the_data_were_lost_all_join_again_and_a_new_lineage_begins(fragile_world: World) -> None:
    a, b = fragile_world.seats_of("a", "b")
    for epoch in range(1, 8):
        assert a.publish(view(epoch, "a", "b"), a.seen.view_version).ok
    fragile_world.wipe()
    for seat in (a, b):
        seat.until(
            lambda seat=seat: seat.seen.connected and seat.seen.view_version is None,  # type: ignore[misc]
            "the loss",
        )
        seat.sees("a", "b")
        assert seat.seen.view is None
    leader = a if a.seen.leading else b
    fresh = view(1, "a", "b", lineage="second")
    assert leader.publish(fresh, None).ok
    a.until(lambda: a.seen.view == b.seen.view == fresh, "the new lineage everywhere")
