"""What the faces ask of a cluster: one class per noun. A face knows these and the domain, and no store or server."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from shardkeeper.node.operations.answer import Answer
from shardkeeper.node.operations.backfill import BackfillOperations
from shardkeeper.node.operations.cluster import Cluster, ClusterReader
from shardkeeper.node.operations.health import Check, CheckState, HealthOperations
from shardkeeper.node.operations.jobs import JobOperations
from shardkeeper.node.operations.nodes import NodeOperations
from shardkeeper.node.operations.runs import RunOperations
from shardkeeper.node.operations.shards import ShardOperations
from shardkeeper.node.operations.specs import SpecOperations

__all__ = [
    "Answer",
    "BackfillOperations",
    "Check",
    "CheckState",
    "Cluster",
    "ClusterReader",
    "HealthOperations",
    "JobOperations",
    "NodeOperations",
    "Operations",
    "RunOperations",
    "ShardOperations",
    "SpecOperations",
]


@dataclass(frozen=True, slots=True)
class Operations:
    """All of them, over the same stores; ``close`` ends their connections."""

    jobs: JobOperations
    shards: ShardOperations
    nodes: NodeOperations
    runs: RunOperations
    backfills: BackfillOperations
    specs: SpecOperations
    health: HealthOperations
    close: Callable[[], None]
