"""Who publishes which view, and which view a node goes by: nodes over one ensemble in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from shardkeeper.domain.facts import CoordinatorSeen, ViewPublished, ViewRefused
from shardkeeper.domain.planner.events import Event, ViewSeen
from shardkeeper.domain.view import Member, View
from shardkeeper.memory.clock import NodeClock, VirtualClock
from shardkeeper.memory.coordinator import MemoryCoordinator
from shardkeeper.memory.ensemble import MemoryEnsemble, ViewRecord
from shardkeeper.node.board import Board
from shardkeeper.node.coordination import Coordination
from shardkeeper.ports.coordinator import (
    Candidate,
    CoordinatorEvent,
    Load,
    NodeInfo,
    NodeState,
    Published,
    Session,
    Snapshot,
)

SESSION_S = 6.0


def view(epoch: int, *names: str, lineage: str = "old") -> View:
    members = tuple(Member(name, f"{name}/0") for name in names)
    return View(lineage, epoch, "somebody/0", members, datetime(2026, 11, 21, tzinfo=UTC))


@dataclass
class Seat:
    """One node's side, driven as its loop drives it."""

    name: str
    world: World
    facts: list[object] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    fatal: list[str] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    mailbox: deque[CoordinatorEvent] = field(default_factory=deque)

    def __post_init__(self) -> None:
        board = Board()
        board.subscribe(self.facts.append)
        self.coordinator = MemoryCoordinator(self.world.ensemble)
        self.coordination = Coordination(
            self.coordinator,
            NodeInfo(self.name, f"{self.name}/0"),
            NodeClock(self.world.clock),
            board,
            self.world.new_lineage,
            self.mailbox.append,
            self._later,
            self.fatal.append,
        )

    def read(self) -> None:
        while self.mailbox:
            told = self.mailbox.popleft()
            if isinstance(told, Snapshot):
                self.events += self.coordination.seen(told)
            else:
                self.events += self.coordination.published(told)

    def _later(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.world.clock.call_later(seconds, self.coordination.reconsider)

    @property
    def goes_by(self) -> View:
        """The view that the planner was told of last."""
        seen = self.events[-1]
        assert isinstance(seen, ViewSeen)
        return seen.view

    @property
    def published(self) -> list[int]:
        return [fact.epoch for fact in self.facts if isinstance(fact, ViewPublished)]


class World:
    """Nodes that read their mail whenever time is passed."""

    def __init__(self, stored: View | None = None) -> None:
        self.clock = VirtualClock()
        self.ensemble = MemoryEnsemble(self.clock, session_timeout_s=SESSION_S)
        self.seats: list[Seat] = []
        self._lineages = 0
        if stored is not None:
            self.ensemble.view = ViewRecord(stored, 7)

    def new_lineage(self) -> str:
        self._lineages += 1
        return f"lineage-{self._lineages}"

    def seat(self, name: str) -> Seat:
        """A node that has a lease, and takes part."""
        seat = Seat(name, self)
        self.seats.append(seat)
        seat.coordination.enter(f"{name}/1")
        self.settle()
        return seat

    def settle(self, seconds: float = 0.0) -> None:
        """Let so much time pass, and everybody read."""
        until = self.clock.monotonic() + seconds
        while True:
            for seat in self.seats:
                seat.read()
            next_s = self.clock.next_in_s()
            if next_s is None or self.clock.monotonic() + next_s > until + 1e-9:
                break
            self.clock.run_next()
        self.clock.advance(max(0.0, until - self.clock.monotonic()))

    @property
    def stored(self) -> View:
        assert self.ensemble.view is not None
        assert self.ensemble.view.view is not None
        return self.ensemble.view.view

    @property
    def members(self) -> list[str]:
        return [member.node_id for member in self.stored.members]

    def info(self, name: str) -> NodeInfo:
        record = self.ensemble.nodes[name]
        assert record.info is not None
        return record.info


def test_a_new_leader_publishes_first_though_nothing_has_changed() -> None:
    world = World()
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S)
    before = world.stored
    first.coordinator.stop()
    world.seats.remove(first)
    world.settle(0.0)
    assert world.stored.epoch > before.epoch
    assert world.stored.published_by == "b/1"
    assert second.published[0] == before.epoch + 1


def test_the_first_leader_republishes_a_view_that_it_finds_with_the_same_members() -> None:
    stored = View("old", 4, "z/1", (Member("a", "a/1"),), datetime(2026, 11, 21, tzinfo=UTC))
    world = World(stored)
    world.seat("a")
    assert (world.stored.lineage, world.stored.epoch, world.stored.published_by) == ("old", 5, "a/1")


def test_without_a_view_the_leader_waits_for_one_session_timeout() -> None:
    world = World()
    leader = world.seat("a")
    world.settle(SESSION_S - 0.1)
    world.seat("b")
    assert world.ensemble.view is None
    assert leader.waits[0] == pytest.approx(SESSION_S)
    world.settle(0.2)
    assert (world.stored.epoch, world.members) == (1, ["a", "b"])
    assert world.stored.lineage.startswith("lineage-")


def test_time_without_a_link_is_not_time_without_a_view() -> None:
    world = World()
    leader = world.seat("a")
    world.settle(SESSION_S / 2)
    world.ensemble.outage()
    world.settle(60.0)
    world.ensemble.restore()
    world.settle(SESSION_S - 1.0)
    assert world.ensemble.view is None
    world.settle(2.0)
    assert world.members == ["a"]
    assert leader.published == [1]


def test_whoever_comes_or_goes_gets_one_new_view_and_nothing_else_does() -> None:
    world = World()
    first = world.seat("a")
    world.settle(SESSION_S)
    world.seat("b")
    world.settle(1.0)
    assert (world.stored.epoch, world.members) == (2, ["a", "b"])
    first.coordination.load(Load.BUSY)
    world.settle(60.0)
    assert first.published == [1, 2]


def test_a_view_that_was_published_is_gone_by_and_told_as_applied() -> None:
    world = World()
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S + 1.0)
    assert first.goes_by == second.goes_by == world.stored
    assert world.info("a").applied_epoch == world.info("b").applied_epoch == world.stored.epoch


def test_the_same_view_is_told_to_the_planner_once() -> None:
    world = World()
    seat = world.seat("a")
    world.settle(SESSION_S)
    seat.coordination.load(Load.BUSY)
    world.settle(5.0)
    assert [event.view.epoch for event in seat.events if isinstance(event, ViewSeen)] == [1]


def test_a_view_of_another_lineage_is_gone_by_whatever_its_epoch() -> None:
    world = World(view(40, "a", "b"))
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S)
    assert second.goes_by.lineage == "old"
    world.ensemble.wipe()
    world.settle(3 * SESSION_S)
    assert first.goes_by == second.goes_by == world.stored
    assert world.stored.lineage != "old"
    assert world.members == ["a", "b"]


def test_a_draining_node_leaves_the_view_and_may_come_back() -> None:
    world = World()
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S)
    second.coordination.draining(True)
    world.settle(1.0)
    assert world.members == ["a"]
    assert world.info("b").state is NodeState.DRAINING
    second.coordination.draining(False)
    world.settle(1.0)
    assert world.members == ["a", "b"]
    assert first.fatal == []


def test_an_unfit_node_leaves_the_view_and_draining_is_told_before_being_unfit() -> None:
    world = World()
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S)
    second.coordination.workers(False, 0)
    world.settle(1.0)
    assert world.members == ["a"]
    assert world.info("b").state is NodeState.UNFIT
    second.coordination.draining(True)
    second.coordination.workers(True, 0)
    world.settle(1.0)
    assert world.info("b").state is NodeState.DRAINING
    assert first.published[-1] == world.stored.epoch


def test_workers_that_die_are_told_now_and_then_never_for_each_of_them_and_the_last_one_too() -> None:
    world = World()
    seat = world.seat("a")
    world.settle(SESSION_S)
    seat.coordination.workers(True, 1)
    world.settle(1.0)
    assert world.info("a").restarts == 1
    for restarts in range(2, 50):
        seat.coordination.workers(True, restarts)
    world.settle(1.0)
    assert world.info("a").restarts == 1
    world.settle(10.0)
    assert world.info("a").restarts == 49
    seat.coordination.workers(True, 50)
    world.settle(5.0)
    assert world.info("a").restarts == 49
    world.settle(5.0)
    assert world.info("a").restarts == 50


def test_a_node_that_is_unfit_stays_so_when_it_enters_anew() -> None:
    world = World()
    seat = world.seat("a")
    seat.coordination.workers(False, 0)
    seat.coordination.enter("a/2")
    world.settle(1.0)
    info = world.info("a")
    assert (info.incarnation, info.state) == ("a/2", NodeState.UNFIT)


def test_another_incarnation_is_a_new_candidate_that_republishes_when_it_leads_again() -> None:
    world = World()
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S)
    first.coordination.enter("a/2")
    world.settle(1.0)
    assert world.stored.published_by == "b/1"
    assert [member.incarnation for member in world.stored.members] == ["a/2", "b/1"]
    second.coordination.enter("b/2")
    world.settle(1.0)
    assert world.stored.published_by == "a/2"
    assert second.published


def test_a_leader_whose_session_was_lost_publishes_anew_under_its_new_candidacy() -> None:
    """Its own view is stored still, and nobody has come or gone."""
    world = World()
    leader = world.seat("a")
    world.settle(SESSION_S)
    world.ensemble.expire(leader.coordinator)
    world.settle(SESSION_S)
    assert leader.published == [1, 2]
    assert world.stored.published_by == "a/1"


def test_whoever_leaves_is_in_no_view_and_leads_no_more() -> None:
    world = World()
    first, second = world.seat("a"), world.seat("b")
    world.settle(SESSION_S)
    first.coordination.leave()
    world.settle(1.0)
    assert world.members == ["b"]
    assert world.stored.published_by == second.goes_by.published_by == "b/1"


def test_who_has_not_entered_says_nothing_and_publishes_nothing() -> None:
    world = World()
    seat = Seat("a", world)
    seat.coordination.load(Load.BUSY)
    seat.coordination.leave()
    snapshot = Snapshot(Session.CONNECTED, SESSION_S)
    assert seat.coordination.seen(snapshot) == []
    assert (world.ensemble.nodes, seat.waits) == ({}, [])


def test_what_was_said_before_entering_is_said_when_entering() -> None:
    world = World()
    seat = Seat("a", world)
    world.seats.append(seat)
    seat.coordination.load(Load.BUSY)
    seat.coordination.enter("a/1")
    world.settle(1.0)
    assert world.info("a").load is Load.BUSY


def test_problems_are_told_when_they_come_and_when_they_go() -> None:
    world = World()
    seat = world.seat("a")
    world.settle(SESSION_S)
    seat.facts.clear()
    world.ensemble.spoil_node("z")
    world.settle(1.0)
    world.ensemble.delete_node("z")
    world.settle(1.0)
    assert [fact.problems for fact in seat.facts if isinstance(fact, CoordinatorSeen)] == [
        ("nodes/'z' cannot be read",),
        (),
    ]


def test_a_link_that_breaks_is_told_and_the_last_view_stays() -> None:
    world = World()
    seat = world.seat("a")
    world.settle(SESSION_S)
    goes_by = seat.goes_by
    seat.facts.clear()
    world.ensemble.outage()
    world.settle(1.0)
    assert [fact.session for fact in seat.facts if isinstance(fact, CoordinatorSeen)] == [Session.SUSPENDED]
    assert seat.goes_by == goes_by


def test_what_no_trying_mends_ends_the_daemon_and_nothing_is_published() -> None:
    world = World()
    seat = world.seat("a")
    told = Snapshot(Session.LOST, fatal="wrong credentials")
    assert seat.coordination.seen(told) == []
    assert seat.fatal == ["wrong credentials"]


class Answering:
    """A coordinator that keeps what it is asked to publish, and answers when the test says."""

    def __init__(self) -> None:
        self.asked: list[tuple[View, int | None]] = []

    def start(self, info: NodeInfo, notify: Callable[[CoordinatorEvent], None]) -> None:
        pass

    def update(self, info: NodeInfo) -> None:
        pass

    def publish(self, view: View, expected_version: int | None) -> None:
        self.asked.append((view, expected_version))

    def leave(self) -> None:
        pass

    def stop(self) -> None:
        pass


def leading(stored: View, version: int) -> Snapshot:
    """What a leader of one sees."""
    return Snapshot(
        Session.CONNECTED,
        SESSION_S,
        nodes=(NodeInfo("a", "a/1"),),
        candidates=(Candidate(0, "a", "a/1", mine=True),),
        view=stored,
        view_version=version,
    )


def test_one_view_at_a_time_is_published_and_a_refusal_is_told_and_tried_again() -> None:
    answering, facts = Answering(), list[object]()
    board = Board()
    board.subscribe(facts.append)
    coordination = Coordination(
        answering,
        NodeInfo("a", "a/0"),
        NodeClock(VirtualClock()),
        board,
        lambda: "new",
        lambda told: None,
        lambda seconds: None,
        lambda reason: None,
    )
    coordination.enter("a/1")
    coordination.seen(leading(view(3, "a"), 7))
    coordination.reconsider()
    assert [(one.epoch, version) for one, version in answering.asked] == [(4, 7)]
    refused = Published(False, answering.asked[0][0], detail="no answer")
    assert coordination.published(refused) == []
    assert [fact for fact in facts if isinstance(fact, ViewRefused)] == [ViewRefused(4, "", "no answer")]
    coordination.seen(leading(view(5, "a"), 8))
    assert [(one.epoch, version) for one, version in answering.asked] == [(4, 7), (6, 8)]


@pytest.mark.parametrize("ok", [True, False])
def test_what_came_during_a_publication_is_thought_over_again_without_another_snapshot(ok: bool) -> None:
    answering, later = Answering(), list[float]()
    coordination = Coordination(
        answering,
        NodeInfo("a", "a/0"),
        NodeClock(VirtualClock()),
        Board(),
        lambda: "new",
        lambda told: None,
        later.append,
        lambda reason: None,
    )
    coordination.enter("a/1")
    coordination.seen(leading(view(3, "a"), 7))
    coordination.seen(leading(view(9, "a"), 8))
    assert len(answering.asked) == 1
    later.clear()
    coordination.published(Published(ok, answering.asked[0][0], detail="no answer"))
    assert len(later) == 1
    assert later[0] > 0.1
    coordination.reconsider()
    assert len(answering.asked) == 2
