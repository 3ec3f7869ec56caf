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

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

_NO_LABELS: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Member:
    """One node in a view."""

    node_id: str
    """The stable name of the node."""
    incarnation: str
    """The one life of the node that was seen when the view was made."""
    weight: float = 1.0
    """Share of the work in proportion to the other members; greater than 0 and finite."""
    labels: Mapping[str, str] = field(default=_NO_LABELS, hash=False)


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


class LeaseState(StrEnum):
    """State of an incarnation's row in the lease table."""

    LIVE = "live"
    DRAINING = "draining"
    DEAD = "dead"
    """Lapsed and taken over, or ended by a clean stop: for good in both cases."""


@dataclass(frozen=True, slots=True)
class LeaseRow:
    """What the lease table says of one incarnation."""

    node_id: str
    incarnation: str
    state: LeaseState


@dataclass(frozen=True, slots=True)
class LeaseView:
    """The lease table as far as effective members need it.

    The rows of dead incarnations must be kept as long as a view may still name them, because an incarnation
    without a row counts as unknown, and the unknown stay in.
    """

    live: Mapping[str, str] = field(default=_NO_LABELS, hash=False)
    """``node_id`` to the incarnation that is live and not draining; there is at most one per node."""
    draining: frozenset[str] = frozenset()
    """Incarnations that are draining."""
    dead: frozenset[str] = frozenset()
    """Incarnations that are dead for good."""

    @classmethod
    def of(cls, rows: Iterable[LeaseRow]) -> LeaseView:
        """Gather the rows of the lease table, in any order."""
        by_state: dict[LeaseState, list[LeaseRow]] = {state: [] for state in LeaseState}
        for row in rows:
            by_state[row.state].append(row)
        return cls(
            live={row.node_id: row.incarnation for row in by_state[LeaseState.LIVE]},
            draining=frozenset(row.incarnation for row in by_state[LeaseState.DRAINING]),
            dead=frozenset(row.incarnation for row in by_state[LeaseState.DEAD]),
        )


NOTHING_KNOWN = LeaseView()
"""A lease table that was never read: nobody is taken out."""


def effective_members(
    view: View | None, leases: LeaseView, selector: Mapping[str, str] | None = None
) -> tuple[Member, ...]:
    """The members that share the work now, sorted by ``node_id``.

    For each member of the view, the first that applies:

    1. its ``node_id`` has a live lease: in, under the incarnation of that lease;
    2. its incarnation is known as dead or draining: out;
    3. its incarnation is unknown to the lease table: in, never dropped for lack of knowledge.

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


def _as_leased(member: Member, leases: LeaseView) -> Member | None:
    live = leases.live.get(member.node_id)
    if live is not None:
        return member if live == member.incarnation else replace(member, incarnation=live)
    if member.incarnation in leases.dead or member.incarnation in leases.draining:
        return None
    return member
