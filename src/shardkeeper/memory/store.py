"""The whole store as one node sees it."""

from __future__ import annotations

from shardkeeper.memory.alerts import MemoryAlerts
from shardkeeper.memory.housekeeping import MemoryHousekeeping
from shardkeeper.memory.leases import MemoryLeases
from shardkeeper.memory.operator import MemoryOperator
from shardkeeper.memory.runs import MemoryRuns
from shardkeeper.memory.specs import MemorySpecs
from shardkeeper.memory.sweep import MemorySweep


class MemoryStore(
    MemorySpecs, MemoryRuns, MemoryLeases, MemorySweep, MemoryAlerts, MemoryHousekeeping, MemoryOperator
):
    """Every store port over one link to one ``MemoryDatabase``; each call is atomic."""
