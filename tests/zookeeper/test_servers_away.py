"""Servers that are away, frozen, restarted, read-only, or do not know us."""

from __future__ import annotations

import threading
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest
from kazoo.client import KazooClient
from kazoo.exceptions import NoAuthError
from kazoo.security import make_digest_acl

from shardkeeper.devservers import ZooKeeperEnsemble, ZooKeeperServer
from shardkeeper.ports.coordinator import NodeInfo, Session
from shardkeeper.zookeeper.coordinator import ZooKeeperCoordinator
from shardkeeper.zookeeper.link import Link
from shardkeeper.zookeeper.options import ZooKeeperOptions
from tests.contract.coordinator_worlds import SESSION_TIMEOUT_S, RealWorld, Seat, view
from tests.servers.zookeeper import TEST_OPTIONS, require_zookeeper
from tests.waiting import wait_until
from tests.zookeeper.nodes import admin_of, seat_with


def test_a_node_that_starts_before_its_servers_joins_when_they_come(world: RealWorld) -> None:
    seat = world.unstarted("a")
    world.cut(seat)
    seat.coordinator.start(seat.info, seat.notify)
    seat.until(lambda: seat.seen.problems, "word of what is wrong")
    assert seat.seen.session is Session.NEVER
    world.heal(seat)
    seat.sees("a")
    assert seat.seen.problems == ()


def test_a_restart_of_all_servers_within_the_session_costs_no_place(own_zookeeper: ZooKeeperServer) -> None:
    world = RealWorld(own_zookeeper.hosts, "own")
    try:
        # a client that meets a server in the middle of its start waits for two thirds of it before it tries again
        a = seat_with(world, "a", replace(world.options(own_zookeeper.hosts), session_timeout_s=20.0))
        a.sees("a")
        place = a.own_candidate
        assert a.publish(view(1, "a"), None).ok
        own_zookeeper.kill()
        a.until(lambda: a.seen.session is Session.SUSPENDED, "the doubt")
        own_zookeeper.start()
        a.sees("a")
        assert a.own_candidate == place
        assert a.seen.view == view(1, "a")
        assert a.publish(view(2, "a"), a.seen.view_version).ok
    finally:
        world.close()


def test_all_servers_frozen_for_longer_than_the_session_end_with_one_place_each(
    own_world: RealWorld, own_zookeeper: ZooKeeperServer
) -> None:
    seats = own_world.seats_of("a", "b")
    assert seats[0].publish(view(1, "a", "b"), None).ok
    for seat in seats:
        seat.until(lambda seat=seat: seat.seen.view == view(1, "a", "b"), "the view")  # type: ignore[misc]
    own_zookeeper.pause()
    frozen_at = monotonic()
    for seat in seats:
        seat.until(lambda seat=seat: seat.seen.session is Session.SUSPENDED, "the doubt")  # type: ignore[misc]
    wait_until(lambda: monotonic() > frozen_at + 1.5 * SESSION_TIMEOUT_S, what="more than a session")
    assert all(seat.seen.view == view(1, "a", "b") and not seat.seen.leading for seat in seats)
    own_zookeeper.resume()
    for seat in seats:
        seat.sees("a", "b")
    leader = next(seat for seat in seats if seat.seen.leading)
    assert leader.publish(view(2, "a", "b"), leader.seen.view_version).ok


def test_a_link_that_flaps_ends_with_one_registration_and_one_candidate_each(world: RealWorld) -> None:
    a, b = world.seats_of("a", "b")
    for _ in range(5):
        world.cut(a)
        a.until(lambda: not a.seen.connected, "the loss")
        world.heal(a)
        a.until(lambda: a.seen.connected, "the link")
    for seat in (a, b):
        seat.sees("a", "b")


def test_a_session_that_the_server_ends_over_a_sound_link_costs_a_node_its_place_and_no_more(
    world: RealWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    clients: list[KazooClient] = []
    make = Link._new_client

    def made(link: Link) -> KazooClient:
        clients.append(make(link))
        return clients[-1]

    monkeypatch.setattr(Link, "_new_client", made)
    a, b = world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    place = a.own_candidate
    # whoever knows a session's id and password may end it
    with closing(KazooClient(hosts=world._hosts, client_id=clients[0].client_id)) as thief:
        thief.start(timeout=15)
        thief.stop()
    b.until(lambda: b.seen.leading, "the next leader")
    a.until(lambda: a.seen.connected and a.row == ["b", "a"] and a.names == ["a", "b"], "its return")
    assert Session.LOST in [snapshot.session for snapshot in a.snapshots]
    assert a.own_candidate != place
    assert a.seen.view == view(1, "a", "b")
    assert b.publish(view(2, "a", "b"), b.seen.view_version).ok


def test_stopping_is_quick_although_the_servers_are_frozen(own_zookeeper: ZooKeeperServer) -> None:
    seen = threading.Event()
    coordinator = ZooKeeperCoordinator(
        ZooKeeperOptions(own_zookeeper.hosts, session_timeout_s=2.0, stop_timeout_s=0.5)
    )
    coordinator.start(NodeInfo("a", "a-1"), lambda _: seen.set())
    assert seen.wait(10)
    own_zookeeper.pause()
    before = monotonic()
    coordinator.stop()
    assert monotonic() - before < 2.0
    own_zookeeper.resume()


def test_the_leader_of_the_ensemble_dies_and_nobody_loses_a_session(
    zookeeper_ensemble: ZooKeeperEnsemble,
) -> None:
    world = RealWorld(zookeeper_ensemble.hosts, "ensemble")
    try:
        options = replace(world.options(zookeeper_ensemble.hosts), session_timeout_s=10.0)
        a, b = seat_with(world, "a", options), seat_with(world, "b", options)
        for seat in (a, b):
            seat.sees("a", "b")
        first = a if a.seen.leading else b
        assert first.publish(view(1, "a", "b"), None).ok
        leader = zookeeper_ensemble.leader()
        assert leader is not None
        leader.kill()

        def published() -> bool:
            return first.publish(view(2, "a", "b"), first.seen.view_version).ok or first.seen.view == view(
                2, "a", "b"
            )

        wait_until(published, timeout_s=20, what="a publication under the next leader")
        for seat in (a, b):
            seat.until(lambda seat=seat: seat.seen.view == view(2, "a", "b"), "the view")  # type: ignore[misc]
            assert Session.LOST not in [snapshot.session for snapshot in seat.snapshots]
    finally:
        world.close()


def test_a_server_without_its_majority_that_serves_readers_only_is_not_joined(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_zookeeper()
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", "-Dreadonlymode.enabled=true")
    with ZooKeeperEnsemble(server_folder / "readers", TEST_OPTIONS) as ensemble:
        world = RealWorld(ensemble.hosts, "readers")
        try:
            a = seat_with(world, "a", world.options(ensemble.hosts))
            a.sees("a")
            rest, survivor = ensemble.members[1:], ensemble.members[0]
            for member in rest:
                member.kill()
            wait_until(lambda: survivor.mode() == "read-only", what="a server for readers only")
            a.until(lambda: a.seen.session is Session.SUSPENDED, "the loss of the majority")
            assert not a.publish(view(1, "a"), None).ok
            assert not a.seen.connected
            for member in rest:
                member.launch()
            a.sees("a")
        finally:
            world.close()


def _protected(world: RealWorld) -> str:
    """Make the namespace somebody else's; returns its credentials."""
    world.admin.create(world.root, b"", acl=[make_digest_acl("owner", "right", all=True)])
    return "digest:owner:right"


def _fatal(seat: Seat) -> str:
    seat.until(lambda: seat.seen.fatal, "the fatal problem")
    assert seat.seen.fatal is not None
    return seat.seen.fatal


def test_credentials_that_open_nothing_are_fatal_and_said_so(world: RealWorld) -> None:
    _protected(world)
    seat = seat_with(world, "a", replace(world.options(world._hosts), auth="digest:owner:wrong"))
    assert "credentials" in _fatal(seat)
    assert not seat.seen.connected
    assert not seat.publish(view(1, "a"), None).ok


def test_a_way_of_proof_that_the_server_does_not_know_is_fatal(world: RealWorld) -> None:
    seat = seat_with(world, "a", replace(world.options(world._hosts), auth="nosuch:owner"))
    assert "credentials" in _fatal(seat)


def test_the_right_credentials_open_and_what_is_made_with_them_is_closed_to_others(world: RealWorld) -> None:
    auth = _protected(world)
    seat = seat_with(world, "a", replace(world.options(world._hosts), auth=auth))
    seat.sees("a")
    assert seat.publish(view(1, "a"), None).ok
    with pytest.raises(NoAuthError):
        world.admin.get(f"{world.root}/view")
    with admin_of(world._hosts, [("digest", "owner:right")]) as owner:
        for path in ("nodes", "candidates", "view", "nodes/a"):
            acls, _ = owner.get_acls(f"{world.root}/{path}")
            assert {acl.id.scheme for acl in acls} == {"digest"}, path


def test_rights_taken_away_later_are_told_and_end_nothing(world: RealWorld) -> None:
    a = seat_with(world, "a", world.options(world._hosts))
    a.sees("a")
    path = f"{world.root}/nodes"
    before, _ = world.admin.get_acls(path)
    world.admin.add_auth("digest", "owner:right")
    world.admin.set_acls(path, [make_digest_acl("owner", "right", all=True)])
    world.admin.delete(f"{path}/a")
    a.until(lambda: any("credentials" in problem for problem in a.seen.problems), "the problem")
    assert a.seen.fatal is None
    world.admin.set_acls(path, before)
    a.sees("a")
    assert a.seen.problems == ()


@pytest.mark.parametrize("node_id", ["", "a/b", "..", "a\nb", "x" * 300])
def test_a_name_that_cannot_be_a_znode_is_refused(node_id: str) -> None:
    coordinator = ZooKeeperCoordinator(ZooKeeperOptions("127.0.0.1:1"))
    with pytest.raises(ValueError, match="node_id"):
        coordinator.start(NodeInfo(node_id, "a-1"), lambda _: None)
