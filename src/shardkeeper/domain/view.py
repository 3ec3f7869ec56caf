"""The view: who shares the work, and who of them counts at this moment.

ZooKeeper holds the view, PostgreSQL the leases. The view alone says who *may* share the work; the lease table
only takes away from it, and only what it knows. So work stays owned while either store is away:

* ZooKeeper away: the last view goes on being used. Nodes that die meanwhile are taken out by their lease; a node
  that restarts meanwhile takes part under its new incarnation, because the view is matched by ``node_id``.
* PostgreSQL away: the lease table is as last read. A member it has never heard of stays in.

Ownership depends on ``node_id``, weight and labels alone, never on the incarnation; a restart that is quick
enough moves nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import inf

from shardkeeper.domain.frozen import EMPTY


@dataclass(frozen=True, slots=True)
class Member:
    """One node in a view."""

    node_id: str
    """The stable name of the node."""
    incarnation: str
    """The one life of the node that was seen when the view was made."""
    weight: float = 1.0
    """Share of the work in proportion to the other members; greater than 0 and finite."""
    labels: Mapping[str, str] = field(default=EMPTY, hash=False)

    def __post_init__(self) -> None:
        if not usable_weight(self.weight):
            raise ValueError(
                f"weight {self.weight!r} of node {self.node_id!r} is not a finite number above 0"
            )


@dataclass(frozen=True, slots=True)
class View:
    """The published members. Compare ``(lineage, epoch)``: see ``leadership.accepts``."""

    lineage: str
    """A random id; another one means that the coordinator's data was lost in between."""
    epoch: int
    """Increases with each view of a lineage, from 1."""
    published_by: str
    """Incarnation of the leader that published it."""
    members: tuple[Member, ...]
    published_at: datetime
    """Aware, UTC; for people only, nothing is decided by it."""


@dataclass(frozen=True, slots=True)
class LeaseView:
    """The lease table as far as effective members need it: everything by ``node_id``.

    By node and not by incarnation, because the incarnation in a view may be older than every lease that is
    still kept, or newer than the last read: the node's newest life speaks for it.
    """

    live: Mapping[str, str] = field(default=EMPTY, hash=False)
    """``node_id`` to its incarnation whose lease is active. It counts before what the other two say."""
    draining: frozenset[str] = frozenset()
    """``node_id`` of those whose lease is draining."""
    dead: frozenset[str] = frozenset()
    """``node_id`` of those of whom only dead incarnations are known."""


NOTHING_KNOWN = LeaseView()
"""A lease table that was never read: nobody is taken out."""


def effective_members(
    view: View | None, leases: LeaseView, selector: Mapping[str, str] | None = None
) -> tuple[Member, ...]:
    """The members that share the work now, sorted by ``node_id``.

    For each member of the view, the first that applies:

    1. its ``node_id`` has a live lease: in, under the incarnation of that lease;
    2. its ``node_id`` is known as draining or dead: out;
    3. its ``node_id`` is unknown to the lease table: in, never dropped for lack of knowledge.

    A node that is not in the view never takes part, whatever its lease. ``selector``: labels that a member must
    all have (``None`` or empty: any). Without a view there are no members.
    """
    if view is None:
        return ()
    kept = (_as_leased(member, leases) for member in view.members)
    found = [member for member in kept if member is not None and matches(member.labels, selector)]
    return tuple(sorted(found, key=lambda member: member.node_id))


def matches(labels: Mapping[str, str], selector: Mapping[str, str] | None) -> bool:
    """Whether ``labels`` has every label of ``selector`` with the same value."""
    if not selector:
        return True
    return all(labels.get(name) == value for name, value in selector.items())


def usable_weight(weight: float) -> bool:
    """Whether ``weight`` can be a member's: a finite number greater than 0."""
    return 0.0 < weight < inf


def _as_leased(member: Member, leases: LeaseView) -> Member | None:
    live = leases.live.get(member.node_id)
    if live is not None:
        return member if live == member.incarnation else replace(member, incarnation=live)
    if member.node_id in leases.dead or member.node_id in leases.draining:
        return None
    return member
