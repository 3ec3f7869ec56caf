"""The nodes: what ZooKeeper and the leases know of them, and orders to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shardkeeper.domain.errors import NotFound
from shardkeeper.domain.leases import LeaseState
from shardkeeper.domain.problems import shown
from shardkeeper.domain.view import matches
from shardkeeper.node.operations.answer import Answer
from shardkeeper.node.operations.cluster import Cluster, ClusterReader
from shardkeeper.ports.coordinator import NodeInfo, NodeState
from shardkeeper.ports.operator import OperatorStore, Row


class NodeOperations:
    """A node's name need not be in a view, but someone must have joined under it."""

    def __init__(self, store: OperatorStore, cluster: ClusterReader) -> None:
        self._store = store
        self._cluster = cluster

    def listing(self, labels: Mapping[str, str] | None = None) -> Answer[list[Row]]:
        """All nodes that are not dead, by name."""
        cluster = self._cluster.read()
        leases = {row["node_id"]: row for row in cluster.leases if row["state"] != LeaseState.DEAD}
        names = sorted(cluster.nodes.keys() | leases.keys())
        rows = [_row(name, cluster, cluster.nodes.get(name), leases.get(name)) for name in names]
        return Answer([row for row in rows if matches(row["labels"], labels)], cluster.notes)

    def get(self, node_id: str) -> Answer[Row]:
        """One node, also a dead one, with its lease, the orders for it and the attempts it runs. Raises NotFound."""
        cluster = self._cluster.read()
        lease = next((row for row in cluster.leases if row["node_id"] == node_id), None)
        info = cluster.nodes.get(node_id)
        if lease is None and info is None:
            raise _unknown(node_id)
        row = _row(node_id, cluster, info, lease)
        for column in ("joined_at", "beaten_at", "dead_at", "dead_by", "drain_ordered", "workers_ordered"):
            row[column] = None if lease is None else lease.get(column)
        row["lease"] = None if lease is None else lease["state"]
        row["addresses"] = {} if info is None else dict(info.addresses)
        row["attempts"] = [one for one in self._store.running_items() if one["node_id"] == node_id]
        return Answer(row, cluster.notes)

    def drain(self, node_id: str, draining: bool, by: str) -> None:
        """Order a node to hand its work over, or to take part again. Raises NotFound."""
        self._must_be_known(node_id)
        self._store.order_drain(node_id, draining, by)

    def workers(self, node_id: str, workers: int, by: str) -> None:
        """Order another number of workers while it runs. Raises NotFound."""
        self._must_be_known(node_id)
        self._store.order_workers(node_id, workers, by)

    def _must_be_known(self, node_id: str) -> None:
        if all(row["node_id"] != node_id for row in self._store.leases()):
            raise _unknown(node_id)


def _unknown(node_id: str) -> NotFound:
    return NotFound(f"there is no node {shown(node_id)}: `shardkeeper nodes` lists them")


def _row(node_id: str, cluster: Cluster, info: NodeInfo | None, lease: Row | None) -> Row:
    known: Mapping[str, Any] = lease or {}
    incarnation = info.incarnation if info else known.get("incarnation")
    return {
        "node_id": node_id,
        "incarnation": incarnation,
        "host": info.host if info else known.get("host"),
        "pid": info.pid if info else known.get("pid"),
        "leader": incarnation is not None and incarnation == cluster.leader,
        "state": _state(info, lease),
        "load": info.load.value if info else None,
        "weight": info.weight if info else known.get("weight"),
        "labels": dict(info.labels if info else known.get("labels") or {}),
        "applied_epoch": info.applied_epoch if info else None,
        "running": known.get("running", 0),
        "restarts": info.restarts if info else None,
        "beaten_at": known.get("beaten_at"),
        "code_version": (info.code_version if info else None) or known.get("code_version"),
    }


def _state(info: NodeInfo | None, lease: Row | None) -> str:
    """The lease's draining comes first: it is what the others go by."""
    if lease is not None and lease["state"] == LeaseState.DRAINING:
        return NodeState.DRAINING.value
    if info is not None:
        return info.state.value
    dead = lease is not None and lease["state"] == LeaseState.DEAD
    return LeaseState.DEAD.value if dead else NodeState.ACTIVE.value
