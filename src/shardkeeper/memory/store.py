"""The whole store as one node sees it."""

from __future__ import annotations

from shardkeeper.memory.leases import MemoryLeases
from shardkeeper.memory.runs import MemoryRuns
from shardkeeper.memory.specs import MemorySpecs


class MemoryStore(MemorySpecs, MemoryRuns, MemoryLeases):
    """Every store port over one link to one ``MemoryDatabase``; each call is atomic."""
