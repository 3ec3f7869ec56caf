"""Each trap that kazoo and ZooKeeper were seen to hold, with the test that falls into it when the guard is
gone."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from time import monotonic

import pytest
from kazoo.exceptions import NoNodeError, SessionExpiredError
from kazoo.handlers.threading import SequentialThreadingHandler
from kazoo.protocol.states import EventType, KazooState, KeeperState, WatchedEvent

from shardkeeper.devservers import ZooKeeperServer
from shardkeeper.ports.coordinator import CoordinatorEvent, Load, NodeInfo, Refusal, Session, Snapshot
from shardkeeper.zookeeper.codec import VIEW_LIMIT
from shardkeeper.zookeeper.coordinator import ZooKeeperCoordinator
from shardkeeper.zookeeper.link import Hint, Link, LinkChanged, LinkDown
from shardkeeper.zookeeper.options import ZooKeeperOptions
from shardkeeper.zookeeper.publication import publish
from shardkeeper.zookeeper.reading import Paths, Reading
from tests.contract.coordinator_worlds import RealWorld, view
from tests.servers import ZooKeeperNamespace
from tests.waiting import wait_until
from tests.zookeeper.nodes import seat_with, tree_of


class _Posted:
    """Where a link posts to."""

    def __init__(self) -> None:
        self.events: list[LinkChanged | Hint] = []
        self.threads: set[str] = set()

    def __call__(self, event: LinkChanged | Hint) -> None:
        self.events.append(event)
        self.threads.add(threading.current_thread().name)


@pytest.fixture
def options(zookeeper: ZooKeeperNamespace) -> ZooKeeperOptions:
    return ZooKeeperOptions(zookeeper.hosts, zookeeper.namespace, session_timeout_s=2.0)


def test_the_transaction_of_a_view_fails_without_the_own_candidate_although_commit_raises_nothing(
    world: RealWorld, options: ZooKeeperOptions
) -> None:
    world.seats_of("a")
    paths = Paths(options.root)
    link = Link(options, _Posted())
    link.open()
    wait_until(lambda: link.live, what="the link")
    (own,) = link.wait([link.create(paths.candidates + "/", b"", ephemeral=True, sequence=True)])
    name = own.rpartition("/")[2]
    assert publish(link, paths, name, view(1, "a"), None).ok
    world.admin.delete(own)
    # a candidate is made again: under another number, so the check cannot take it for the old one
    (again,) = link.wait([link.create(paths.candidates + "/", b"", ephemeral=True, sequence=True)])
    assert again != own
    answer = publish(link, paths, name, view(2, "a"), 0)
    link.close()
    assert (answer.ok, answer.reason) == (False, Refusal.NOT_CANDIDATE)
    data, stat = world.admin.get(paths.view)
    assert json.loads(data)["epoch"] == 1
    assert stat.version == 0


def test_a_view_that_was_written_without_an_answer_is_told_as_unknown_and_then_seen(world: RealWorld) -> None:
    (a,) = world.seats_of("a")
    relay = world.relay(a)
    for epoch in range(1, 6):
        relay.lose_answers()
        answer = a.publish(view(epoch, "a"), a.seen.view_version)
        written = world.admin.exists(f"{world.root}/view")
        relay.mend()
        a.sees("a")
        if written:
            break
    assert written, "a read was under way each time"
    assert (answer.ok, answer.reason) == (False, Refusal.UNKNOWN)
    a.until(lambda: a.seen.view == view(epoch, "a"), "the view that was written all the same")


def test_an_event_is_told_by_the_owners_thread_and_never_by_one_of_kazoos(world: RealWorld) -> None:
    a, b = world.seats_of("a", "b")
    world.cut(a)
    a.until(lambda: a.seen.session is Session.SUSPENDED, "the doubt")
    world.heal(a)
    a.sees("a", "b")
    assert a.threads == b.threads == {"zookeeper"}


def test_listeners_and_watches_only_post_and_make_no_call(options: ZooKeeperOptions) -> None:
    posted = _Posted()
    link = Link(options, posted)
    # never opened: any call to ZooKeeper would raise
    link._on_state(KazooState.SUSPENDED)
    link.hint(WatchedEvent(EventType.DELETED, KeeperState.CONNECTED, "/somewhere"))
    link.hint(WatchedEvent(EventType.NONE, KeeperState.CONNECTING, None))
    assert posted.events == [
        LinkChanged(link, KazooState.SUSPENDED, auth_failed=False),
        Hint(link, "/somewhere"),
    ]


def test_a_call_over_a_link_that_is_down_fails_at_once_instead_of_queueing(
    world: RealWorld, options: ZooKeeperOptions
) -> None:
    (a,) = world.seats_of("a")
    posted = _Posted()
    link = Link(replace(options, hosts=world.relay(a).hosts), posted)
    link.open()
    wait_until(lambda: link.live, what="the link")
    world.cut(a)
    wait_until(lambda: not link.live, what="the loss of the link")
    with pytest.raises(LinkDown):
        link.create("/never", b"")
    world.heal(a)
    wait_until(lambda: link.live, what="the link again")
    assert link.wait([link.exists("/never", watch=False)]) == [None]
    link.close()


def test_calls_that_are_never_answered_end_together_at_one_deadline() -> None:
    link = Link(ZooKeeperOptions("127.0.0.1:1", session_timeout_s=0.5), _Posted())
    never = [SequentialThreadingHandler().async_result() for _ in range(4)]
    before = monotonic()
    with pytest.raises(LinkDown):
        link.wait(never)
    assert 0.4 < monotonic() - before < 1.5


def test_an_event_that_was_under_way_when_it_was_stopped_is_not_told(options: ZooKeeperOptions) -> None:
    told: list[CoordinatorEvent] = []
    coordinator = ZooKeeperCoordinator(options)
    coordinator.start(NodeInfo("a", "a-1"), told.append)
    coordinator.stop()
    before = len(told)
    coordinator._tell(Snapshot(Session.LOST))
    assert len(told) == before


def test_nothing_is_tried_again_across_the_end_of_a_session(options: ZooKeeperOptions) -> None:
    client = Link(options, _Posted())._client
    for retry in (client._conn_retry, client._retry):
        assert SessionExpiredError not in retry.retry_exceptions


def test_an_error_about_a_znode_is_an_answer_and_no_exception(options: ZooKeeperOptions) -> None:
    link = Link(options, _Posted())
    link.open()
    wait_until(lambda: link.live, what="the link")
    (answer,) = link.wait([link.get("/not/there", watch=False)])
    link.close()
    assert isinstance(answer, NoNodeError)


def test_a_view_too_large_for_zookeeper_is_refused_before_it_breaks_the_link(world: RealWorld) -> None:
    (a,) = world.seats_of("a")
    huge = view(1, *(f"node-{number:06}" for number in range(VIEW_LIMIT // 80)))
    answer = a.publish(huge, None)
    assert (answer.ok, answer.reason) == (False, Refusal.TOO_LARGE)
    assert Session.SUSPENDED not in [snapshot.session for snapshot in a.snapshots]
    assert a.publish(view(1, "a"), None).ok


def test_a_node_with_too_much_to_say_stays_out_and_says_why(world: RealWorld) -> None:
    seat = world.unstarted("a")
    seat.info = replace(seat.info, labels={"essay": "x" * 100_000})
    seat.coordinator.start(seat.info, seat.notify)
    seat.until(lambda: any("bytes" in problem for problem in seat.seen.problems), "the problem")
    assert seat.names == []
    seat.info = replace(seat.info, labels={})
    seat.coordinator.update(seat.info)
    seat.sees("a")


def test_the_session_timeout_that_the_server_gave_is_known_and_told_when_it_is_another(
    world: RealWorld,
) -> None:
    # the server's tick is 0.1 s: it gives 20 s at most
    options = replace(world.options(world._hosts), session_timeout_s=60.0)
    a = seat_with(world, "a", options)
    a.sees("a")
    assert a.seen.session_timeout_s == 20.0
    assert any("session timeout of 20 s, not the 60 s" in problem for problem in a.seen.problems)


def test_a_namespace_that_does_not_exist_is_made_however_deep_and_a_chroot_is_a_part_of_it(
    world: RealWorld,
) -> None:
    hosts = f"{world._hosts}/{world.namespace}/deep"
    a = seat_with(world, "a", ZooKeeperOptions(hosts, "er/still", session_timeout_s=2.0))
    a.sees("a")
    root = f"{world.root}/deep/er/still"
    assert world.admin.exists(f"{root}/nodes/a")
    assert a.publish(view(1, "a"), None).ok
    assert world.admin.exists(f"{root}/view")


def test_a_namespace_that_is_deleted_under_running_nodes_is_made_again(world: RealWorld) -> None:
    a, b = world.seats_of("a", "b")
    assert a.publish(view(1, "a", "b"), None).ok
    # all at once: deleted one by one, the nodes would put back the first before the last is gone
    transaction = world.admin.transaction()
    for path in sorted(tree_of(world.admin, world.root), reverse=True):
        transaction.delete(path)
    assert all(answer is True for answer in transaction.commit())
    for seat in (a, b):
        # the numbers of the candidates begin anew with their parent
        seat.until(
            lambda seat=seat: (
                sorted(c.seq for c in seat.seen.candidates) == [0, 1] and seat.seen.view_version is None
            ),  # type: ignore[misc]
            "the loss",
        )
        seat.sees("a", "b")

    def published() -> bool:
        # the numbers are as before, so only a publication shows that the new row, and not the old one, was read
        return any(
            seat.publish(view(1, "a", "b", lineage="second"), None).ok for seat in (a, b) if seat.seen.leading
        )

    wait_until(published, what="a new lineage")
    for seat in (a, b):
        seat.until(lambda seat=seat: seat.seen.view == view(1, "a", "b", lineage="second"), "it")  # type: ignore[misc]
        seat.sees("a", "b")
    assert a.row == b.row


def test_the_tree_holds_what_the_design_says_and_nothing_more(world: RealWorld) -> None:
    a, _, _ = world.seats_of("a", "b", "c")
    assert a.publish(view(1, "a", "b", "c"), None).ok
    root = world.root
    candidates = {f"{root}/candidates/{candidate.seq:010}" for candidate in a.seen.candidates}
    nodes = {f"{root}/nodes/{name}" for name in "abc"}
    assert (
        tree_of(world.admin, root)
        == {root, f"{root}/nodes", f"{root}/candidates", f"{root}/view"} | nodes | candidates
    )


def _figure(server: ZooKeeperServer, name: str) -> int:
    lines = dict(line.split("\t", 1) for line in server.ask("mntr").splitlines() if "\t" in line)
    return int(float(lines[name]))


def test_znodes_and_watches_grow_with_nodes_and_with_nothing_else(
    own_world: RealWorld, own_zookeeper: ZooKeeperServer
) -> None:
    bare = _figure(own_zookeeper, "zk_znode_count")
    seats = own_world.seats_of("a", "b", "c")
    leader = seats[0]
    for epoch in range(1, 31):
        assert leader.publish(view(epoch, "a", "b", "c"), leader.seen.view_version).ok
    for seat in seats:
        seat.until(lambda seat=seat: seat.seen.view == view(30, "a", "b", "c"), "the last view")  # type: ignore[misc]
        seat.coordinator.update(replace(seat.info, applied_epoch=30, load=Load.BUSY))
    for seat in seats:
        seat.until(
            lambda seat=seat: all(node.applied_epoch == 30 for node in seat.seen.nodes),  # type: ignore[misc]
            "all to have applied it",
        )
    # namespace, nodes, candidates, view; each node itself and its candidate
    assert _figure(own_zookeeper, "zk_znode_count") - bare == 4 + 2 * 3
    # each node watches two lists, the view, and every node
    wait_until(
        lambda: _figure(own_zookeeper, "zk_watch_count") == 3 * (3 + 3), what="watches to be left again"
    )


def test_a_poll_finds_what_no_hint_told_and_writes_nothing(
    world: RealWorld, options: ZooKeeperOptions
) -> None:
    a = seat_with(world, "a", replace(options, poll_s=0.2))
    a.sees("a")
    name = f"{world.root}/candidates/{a.own_candidate:010}"
    # a candidate's content is not watched: only reading all again can show that it was spoilt
    world.admin.set(name, b"?")
    a.until(lambda: a.own_candidate is not None and f"{a.own_candidate:010}" not in name, "a new candidate")
    a.sees("a")
    before = world.admin.exists(f"{world.root}/nodes/a").version
    heard = len(a.snapshots)
    b = world.seat("b")
    b.sees("a", "b")
    a.sees("a", "b")
    assert world.admin.exists(f"{world.root}/nodes/a").version == before
    assert len(a.snapshots) - heard <= 4, "a poll that finds nothing new tells nothing"


def test_a_candidates_number_is_somebody_elses_when_its_parent_was_made_again(
    world: RealWorld, options: ZooKeeperOptions
) -> None:
    paths = Paths(options.root)
    link = Link(options, _Posted())
    link.open()
    wait_until(lambda: link.live, what="the link")
    for path in (paths.root, paths.nodes, paths.candidates):
        world.admin.create(path)
    link.wait([link.create(paths.candidates + "/", b"", ephemeral=True, sequence=True)])
    reading = Reading(paths)
    reading.everything_is_stale()
    reading.refresh(link)
    before = {name: znode.owner for name, znode in reading.candidates.items()}
    world.admin.delete(paths.candidates, recursive=True)
    world.admin.create(paths.candidates)
    world.admin.create(paths.candidates + "/", ephemeral=True, sequence=True)
    reading.is_stale(paths.candidates)
    reading.refresh(link)
    after = {name: znode.owner for name, znode in reading.candidates.items()}
    mine = link.session
    link.close()
    assert before == {"0000000000": mine}
    assert after == {"0000000000": world.admin.client_id[0]}
