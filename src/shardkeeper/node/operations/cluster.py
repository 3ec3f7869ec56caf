"""The cluster as seen from outside: ZooKeeper's tree and the leases, or the mirrored view where ZooKeeper is away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shardkeeper.domain.errors import Unreachable
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.roster import Roster
from shardkeeper.domain.view import LeaseView, View, effective_members
from shardkeeper.ports.coordinator import NodeInfo, Snapshot
from shardkeeper.ports.operator import OperatorStore, Row


@dataclass(frozen=True, slots=True)
class Cluster:
    """What was found. ``snapshot`` is None where ZooKeeper could not be asked; ``view`` is then the mirrored one."""

    snapshot: Snapshot | None
    view: View | None
    leases: tuple[Row, ...]
    notes: tuple[str, ...]

    @property
    def nodes(self) -> dict[str, NodeInfo]:
        """What the nodes say of themselves, by node_id."""
        return {} if self.snapshot is None else {info.node_id: info for info in self.snapshot.nodes}

    @property
    def leader(self) -> str | None:
        """The incarnation of the first candidate; None where that is not known."""
        candidates = () if self.snapshot is None else self.snapshot.candidates
        return candidates[0].incarnation if candidates else None

    def roster(self) -> Roster:
        """The effective members, as every node works them out (rule 8)."""
        return Roster(effective_members(self.view, lease_view(self.leases)))


def lease_view(leases: tuple[Row, ...]) -> LeaseView:
    """The listing of leases, as far as effective members need it."""
    state = {row["node_id"]: LeaseState(row["state"]) for row in leases}
    return LeaseView(
        live={row["node_id"]: row["incarnation"] for row in leases if row["state"] == LeaseState.ACTIVE},
        draining=frozenset(node for node, one in state.items() if one is LeaseState.DRAINING),
        dead=frozenset(node for node, one in state.items() if one is LeaseState.DEAD),
    )


class ClusterReader:
    """``observe`` reads ZooKeeper once and raises Unreachable within seconds."""

    def __init__(self, store: OperatorStore, observe: Callable[[], Snapshot]) -> None:
        self._store = store
        self._observe = observe

    def read(self) -> Cluster:
        """The cluster now. Raises StoreUnavailable."""
        leases = tuple(self._store.leases())
        try:
            snapshot = self._observe()
        except Unreachable as error:
            view = self._store.mirrored_view()
            told = (
                "no view was mirrored yet"
                if view is None
                else f"this is by view {view.epoch}, as mirrored last"
            )
            return Cluster(None, view, leases, (f"{error}; {told}",))
        notes = snapshot.problems
        if snapshot.view is None and snapshot.view_version is not None:
            return Cluster(snapshot, self._store.mirrored_view(), leases, notes)
        if snapshot.view is None:
            notes = (*notes, "no view is published: no node has joined yet, or they are about to")
        return Cluster(snapshot, snapshot.view, leases, notes)
