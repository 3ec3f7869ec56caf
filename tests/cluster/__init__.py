"""Whole nodes as processes, on real servers, for tests of what the engine promises."""

from __future__ import annotations

from tests.cluster.agents import AgentCluster, cluster_on_shared_servers
from tests.cluster.witness import Gate

__all__ = ["AgentCluster", "Gate", "cluster_on_shared_servers"]
