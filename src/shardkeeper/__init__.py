"""Shardkeeper: a distributed job scheduler on ZooKeeper and PostgreSQL."""

from __future__ import annotations

from shardkeeper.task import CalculateValue, Cancel, DistributeTask, RetryLater, ShardContext, ValidationError

__all__ = [
    "CalculateValue",
    "Cancel",
    "DistributeTask",
    "RetryLater",
    "ShardContext",
    "ValidationError",
]
