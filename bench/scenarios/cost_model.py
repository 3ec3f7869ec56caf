"""What a cluster of any size would take, worked out from unit costs. Pure arithmetic.

Everything is a straight line in the fires per second, so each resource has one number of fires at which it is used up:
the smallest of them is the first wall.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf

MIB = 1 << 20
GIB = 1 << 30
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class UnitCosts:
    """Seconds of processor time and bytes. ``look_s``: to find out whose a fire is, paid by every node for every fire:
    ``look_s`` and ``look_node_s`` for each node in the view; ``own_s``: all else that its owner does about it;
    ``lease_*``: for each lease that a beat tells, to PostgreSQL and on the wire."""

    postgres_s: float
    worker_s: float
    own_s: float
    look_s: float
    look_node_s: float
    wal_bytes: float
    rows: float
    wire_bytes: float
    run_bytes: float
    node_postgres_s: float
    node_loop_s: float
    node_wire_bytes: float
    node_packets: float
    lease_postgres_s: float
    lease_bytes: float
    node_bytes: float
    job_bytes: float
    spec_bytes: float
    beat_period_s: float = 1.0

    def looked_s(self, nodes: int) -> float:
        """What one node pays for one fire, whoever owns it."""
        return self.look_s + self.look_node_s * nodes


@dataclass(frozen=True, slots=True)
class Demand:
    """What is asked of a cluster."""

    nodes: int
    jobs: int
    fires_per_s: float


@dataclass(frozen=True, slots=True)
class Need:
    """``amount`` of a resource in ``unit``; ``has``: what one has of it on good hardware, None: not bounded."""

    what: str
    unit: str
    amount: float
    has: float | None = None


def needs(costs: UnitCosts, demand: Demand) -> tuple[Need, ...]:
    """Everything that the demand takes, in one order."""
    nodes, fires = demand.nodes, demand.fires_per_s
    told = nodes * nodes / costs.beat_period_s
    loop = fires / nodes * costs.own_s + fires * costs.looked_s(nodes) + costs.node_loop_s
    postgres = fires * costs.postgres_s + nodes * costs.node_postgres_s + told * costs.lease_postgres_s
    wire = fires * costs.wire_bytes + nodes * costs.node_wire_bytes + told * costs.lease_bytes
    return (
        Need("a node's own process", "cores", loop, 1.0),
        Need("PostgreSQL", "cores", postgres, 64.0),
        Need("log of PostgreSQL (WAL)", "MiB/s", fires * costs.wal_bytes / MIB, 1000.0),
        Need("rows written", "/s", fires * costs.rows),
        Need("network, all together", "MiB/s", wire / MIB, 1250.0),
        Need("workers, all together", "cores", fires * costs.worker_s, 32.0 * nodes),
        Need("history, each day", "GiB", fires * costs.run_bytes * DAY_S / GIB),
        Need("specs in PostgreSQL", "GiB", demand.jobs * costs.spec_bytes / GIB),
        Need("memory of a node", "GiB", (costs.node_bytes + demand.jobs * costs.job_bytes) / GIB, 16.0),
        Need("watches in ZooKeeper", "", float(watches(nodes))),
        Need("packets to ZooKeeper", "/s", nodes * costs.node_packets, 20_000.0),
    )


def watches(nodes: int) -> int:
    """Each node watches every node's znode, and three places more."""
    return nodes * (nodes + 3)


def used_up_at(costs: UnitCosts, demand: Demand) -> dict[str, float]:
    """The fires per second at which each bounded resource is used up, with these nodes and jobs; 0 where it is without
    any fire, infinite where fires do not touch it."""
    without = needs(costs, Demand(demand.nodes, demand.jobs, 0.0))
    with_one = needs(costs, Demand(demand.nodes, demand.jobs, 1.0))
    return {
        none.what: _crossing(none.amount, one.amount, none.has)
        for none, one in zip(without, with_one, strict=True)
        if none.has is not None
    }


def first_wall(costs: UnitCosts, demand: Demand) -> tuple[str, float]:
    """The resource that is used up first, and at how many fires per second."""
    return min(used_up_at(costs, demand).items(), key=lambda wall: wall[1])


def best_nodes(costs: UnitCosts, among: Iterable[int], jobs: int) -> tuple[int, float]:
    """The number of nodes that fires most before its first wall, and how many."""
    walls = ((nodes, first_wall(costs, Demand(nodes, jobs, 0.0))[1]) for nodes in among)
    return max(walls, key=lambda wall: wall[1])


def _crossing(fixed: float, with_one: float, has: float) -> float:
    if fixed >= has:
        return 0.0
    each = with_one - fixed
    return (has - fixed) / each if each > 0 else inf
