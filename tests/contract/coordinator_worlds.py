"""Two worlds for one suite: the ensemble in memory on a clock turned by hand, and a real ZooKeeper on the
wall clock."""

from __future__ import annotations

import heapq
import itertools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

from kazoo.client import KazooClient

from bench.faults.relay import Relay
from shardkeeper.domain.view import Member, View
from shardkeeper.memory.coordinator import MemoryCoordinator
from shardkeeper.memory.ensemble import MemoryEnsemble
from shardkeeper.ports.coordinator import (
    Coordinator,
    CoordinatorEvent,
    NodeInfo,
    Published,
    Session,
    Snapshot,
)
from shardkeeper.zookeeper.coordinator import ZooKeeperCoordinator
from shardkeeper.zookeeper.options import ZooKeeperOptions

SESSION_TIMEOUT_S = 2.0
_PATIENCE_S = 20.0


def view(epoch: int, *members: str, lineage: str = "first") -> View:
    """A view of members that are named like their nodes."""
    return View(
        lineage=lineage,
        epoch=epoch,
        published_by="somebody",
        members=tuple(Member(name, f"{name}-1", 1.0, {"zone": name}) for name in members),
        published_at=datetime(2026, 11, 21, 3, 0, tzinfo=UTC),
    )


@dataclass
class Seat:
    """One node of the world, as it sees it."""

    world: World
    info: NodeInfo
    coordinator: Coordinator
    changed: threading.Condition
    relay: Relay | None = None
    snapshots: list[Snapshot] = field(default_factory=list)
    answers: list[Published] = field(default_factory=list)
    threads: set[str] = field(default_factory=set)
    deaf: bool = False

    def notify(self, event: CoordinatorEvent) -> None:
        with self.changed:
            if self.deaf:
                return
            self.threads.add(threading.current_thread().name)
            if isinstance(event, Published):
                self.answers.append(event)
            else:
                self.snapshots.append(event)
            self.changed.notify_all()

    @property
    def seen(self) -> Snapshot:
        return self.snapshots[-1] if self.snapshots else Snapshot(Session.NEVER)

    @property
    def names(self) -> list[str]:
        return [node.node_id for node in self.seen.nodes]

    @property
    def row(self) -> list[str]:
        """The node_ids of the candidates, in order."""
        return [candidate.node_id for candidate in self.seen.candidates]

    @property
    def own_candidate(self) -> int | None:
        return next((candidate.seq for candidate in self.seen.candidates if candidate.mine), None)

    def sees(self, *node_ids: str) -> None:
        """Wait until exactly these nodes are members and candidates, over a live link."""
        wanted = sorted(node_ids)
        self.until(
            lambda: self.seen.connected and self.names == wanted and sorted(self.row) == wanted,
            f"{self.info.node_id} to see {wanted}",
        )

    def until(self, condition: Callable[[], object], what: str) -> None:
        self.world.until(condition, what)

    def publish(self, wanted: View, expected_version: int | None) -> Published:
        """Publish and wait for the answer."""
        before = len(self.answers)
        self.coordinator.publish(wanted, expected_version)
        self.until(lambda: len(self.answers) > before, "the answer to a publish")
        return self.answers[-1]


class World(ABC):
    """What both worlds can suffer."""

    def __init__(self) -> None:
        self.changed = threading.Condition()
        self.seats: list[Seat] = []

    def seat(self, node_id: str, incarnation: str | None = None) -> Seat:
        """Start a node; does not wait for it."""
        seat = self.unstarted(node_id, incarnation)
        seat.coordinator.start(seat.info, seat.notify)
        return seat

    def unstarted(self, node_id: str, incarnation: str | None = None) -> Seat:
        info = NodeInfo(
            node_id, incarnation or f"{node_id}-1", host=f"{node_id}.example", pid=7, labels={"zone": node_id}
        )
        seat = self._make(info)
        self.seats.append(seat)
        return seat

    def seats_of(self, *node_ids: str) -> list[Seat]:
        """Start nodes one after the other, so that they are candidates in this order."""
        made: list[Seat] = []
        for node_id in node_ids:
            made.append(self.seat(node_id))
            made[-1].sees(*node_ids[: len(made)])
        for seat in made:
            seat.sees(*node_ids)
        return made

    @abstractmethod
    def _make(self, info: NodeInfo) -> Seat: ...
    @abstractmethod
    def until(self, condition: Callable[[], object], what: str) -> None: ...
    @abstractmethod
    def now(self) -> float:
        """Seconds on the coordinators' clock."""

    @abstractmethod
    def breathe(self) -> None:
        """Give the coordinators time for a few calls."""

    @abstractmethod
    def cut(self, seat: Seat) -> None: ...
    @abstractmethod
    def freeze(self, seat: Seat) -> None: ...
    @abstractmethod
    def heal(self, seat: Seat) -> None: ...
    @abstractmethod
    def kill(self, seat: Seat) -> None: ...
    @abstractmethod
    def outage(self) -> None: ...
    @abstractmethod
    def restore(self) -> None: ...
    @abstractmethod
    def wipe(self) -> None: ...
    @abstractmethod
    def delete_node(self, node_id: str) -> None: ...
    @abstractmethod
    def delete_candidates(self) -> None: ...
    @abstractmethod
    def delete_view(self) -> None: ...
    @abstractmethod
    def spoil_node(self, node_id: str) -> None: ...
    @abstractmethod
    def spoil_view(self) -> None: ...
    @abstractmethod
    def node_version(self, node_id: str) -> int: ...
    @abstractmethod
    def close(self) -> None: ...


class HandClock:
    """A scheduler whose time stands still until somebody lets the next thing happen."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = itertools.count()
        self._due: list[tuple[float, int, Callable[[], None]]] = []

    def call_later(self, delay_s: float, call: Callable[[], None]) -> None:
        heapq.heappush(self._due, (self._now + delay_s, next(self._order), call))

    def monotonic(self) -> float:
        return self._now

    def step(self) -> bool:
        """Let the next thing happen; False when nothing is to come."""
        if not self._due:
            return False
        at, _, call = heapq.heappop(self._due)
        self._now = max(self._now, at)
        call()
        return True


class MemoryWorld(World):
    def __init__(self) -> None:
        super().__init__()
        self.clock = HandClock()
        delays = itertools.cycle((0.0, 0.03, 0.01))
        self.ensemble = MemoryEnsemble(self.clock, SESSION_TIMEOUT_S, lambda: next(delays), lambda: 0.1)

    def _make(self, info: NodeInfo) -> Seat:
        return Seat(self, info, MemoryCoordinator(self.ensemble), self.changed)

    @staticmethod
    def client(seat: Seat) -> MemoryCoordinator:
        assert isinstance(seat.coordinator, MemoryCoordinator)
        return seat.coordinator

    def until(self, condition: Callable[[], object], what: str) -> None:
        limit = self.clock.monotonic() + _PATIENCE_S
        while not condition():
            assert self.clock.monotonic() < limit, f"{what}: not within {_PATIENCE_S:g} s"
            assert self.clock.step(), f"{what}: and nothing more will happen"

    def now(self) -> float:
        return self.clock.monotonic()

    def breathe(self) -> None:
        for _ in range(3):
            self.clock.step()

    def cut(self, seat: Seat) -> None:
        self.ensemble.cut(self.client(seat))

    def freeze(self, seat: Seat) -> None:
        self.ensemble.freeze(self.client(seat))

    def heal(self, seat: Seat) -> None:
        self.ensemble.heal(self.client(seat))

    def kill(self, seat: Seat) -> None:
        seat.deaf = True
        self.ensemble.kill(self.client(seat))

    def outage(self) -> None:
        self.ensemble.outage()

    def restore(self) -> None:
        self.ensemble.restore()

    def wipe(self) -> None:
        self.ensemble.wipe()

    def delete_node(self, node_id: str) -> None:
        self.ensemble.delete_node(node_id)

    def delete_candidates(self) -> None:
        self.ensemble.delete_candidates()

    def delete_view(self) -> None:
        self.ensemble.delete_view()

    def spoil_node(self, node_id: str) -> None:
        self.ensemble.spoil_node(node_id)

    def spoil_view(self) -> None:
        self.ensemble.spoil_view()

    def node_version(self, node_id: str) -> int:
        return self.ensemble.nodes[node_id].version

    def close(self) -> None:
        for seat in self.seats:
            seat.coordinator.stop()


class RealWorld(World):
    """`hosts`: one server; `breaker` can freeze, resume and wipe it, where the server is the test's own."""

    def __init__(self, hosts: str, namespace: str, breaker: Breaker | None = None) -> None:
        super().__init__()
        self._hosts = hosts
        self._breaker = breaker
        self.namespace = namespace
        self.root = f"/{namespace}"
        self.admin = KazooClient(hosts=hosts, timeout=10)
        self.admin.start(timeout=15)

    def options(self, hosts: str) -> ZooKeeperOptions:
        # a poll would hide that a hint was never left
        return ZooKeeperOptions(hosts, self.namespace, session_timeout_s=SESSION_TIMEOUT_S, poll_s=600.0)

    def _make(self, info: NodeInfo) -> Seat:
        relay = Relay(self._hosts)
        return Seat(self, info, ZooKeeperCoordinator(self.options(relay.hosts)), self.changed, relay)

    def until(self, condition: Callable[[], object], what: str) -> None:
        limit = monotonic() + _PATIENCE_S
        with self.changed:
            while not condition():
                left = limit - monotonic()
                seen = [(seat.info.node_id, seat.seen) for seat in self.seats]
                assert left > 0, f"{what}: not within {_PATIENCE_S:g} s; seen: {seen}"
                self.changed.wait(min(left, 0.05))

    @staticmethod
    def relay(seat: Seat) -> Relay:
        assert seat.relay is not None
        return seat.relay

    @property
    def breaker(self) -> Breaker:
        assert self._breaker is not None, "this server is not the test's own"
        return self._breaker

    def now(self) -> float:
        return monotonic()

    def breathe(self) -> None:
        for _ in range(3):
            self.admin.sync("/")

    def cut(self, seat: Seat) -> None:
        self.relay(seat).cut()

    def freeze(self, seat: Seat) -> None:
        self.relay(seat).stall()

    def heal(self, seat: Seat) -> None:
        self.relay(seat).mend()

    def kill(self, seat: Seat) -> None:
        seat.deaf = True
        self.relay(seat).cut()

    def outage(self) -> None:
        self.breaker.pause()

    def restore(self) -> None:
        self.breaker.resume()

    def wipe(self) -> None:
        self.breaker.wipe()

    def delete_node(self, node_id: str) -> None:
        self.admin.delete(f"{self.root}/nodes/{node_id}")

    def delete_candidates(self) -> None:
        for name in self.admin.get_children(f"{self.root}/candidates"):
            self.admin.delete(f"{self.root}/candidates/{name}")

    def delete_view(self) -> None:
        self.admin.delete(f"{self.root}/view")

    def spoil_node(self, node_id: str) -> None:
        path = f"{self.root}/nodes/{node_id}"
        if self.admin.exists(path):
            self.admin.set(path, b"\xff not JSON")
        else:
            self.admin.create(path, b"\xff not JSON")

    def spoil_view(self) -> None:
        self.admin.set(f"{self.root}/view", b'{"format": 99}')

    def node_version(self, node_id: str) -> int:
        stat = self.admin.exists(f"{self.root}/nodes/{node_id}")
        assert stat is not None
        return int(stat.version)

    def close(self) -> None:
        for seat in self.seats:
            if seat.relay is not None:
                seat.relay.mend()
            seat.coordinator.stop()
            if seat.relay is not None:
                seat.relay.close()
        self.admin.stop()
        self.admin.close()


class Breaker(ABC):
    """What can be done to a server of the test's own."""

    @abstractmethod
    def pause(self) -> None: ...
    @abstractmethod
    def resume(self) -> None: ...
    @abstractmethod
    def wipe(self) -> None: ...
