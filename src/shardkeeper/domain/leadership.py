"""What the leader does: whether a view is to be published now, and which.

Leadership gives no other right than this one. A leader that is mistaken does no harm: what it publishes is
accepted by the coordinator only while its own candidate exists and the stored view is the one it has read, and
what anybody runs is decided by conditional writes elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from shardkeeper.domain.frozen import EMPTY
from shardkeeper.domain.view import Member, View, usable_weight


@dataclass(frozen=True, slots=True)
class SeenNode:
    """One node as it is registered with the coordinator now."""

    node_id: str
    incarnation: str
    weight: float = 1.0
    labels: Mapping[str, str] = field(default=EMPTY, hash=False)
    takes_work: bool = True
    """False for one that is draining or unfit."""
    applied_epoch: int = 0
    """Epoch of the view that it goes by, as it says itself; of whatever lineage."""


@dataclass(frozen=True, slots=True)
class Facts:
    """All that the decision rests on, as this node sees it over a live link with the coordinator."""

    leading: bool
    """The first candidate is this session's own, and the link is up."""
    incarnation: str
    """This node's own."""
    has_published: bool
    """Whether a view was published by this very candidacy. False is always safe: it costs one more view."""
    nodes: tuple[SeenNode, ...]
    stored: View | None
    """The view that the coordinator holds; None when there is none, or none that can be read."""
    last_seen: View | None
    """The view that this node last took from the coordinator or published, perhaps of another lineage."""
    without_view_s: float
    """Monotonic seconds for which the coordinator was seen without a readable view while connected; 0.0 with one."""
    session_timeout_s: float


@dataclass(frozen=True, slots=True)
class NotLeader:
    """Nothing to do: somebody else leads, or nobody knows."""


@dataclass(frozen=True, slots=True)
class Keep:
    """The stored view is right as it is."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Not yet. ``for_s``: seconds until asking again, None when only another snapshot can change the answer."""

    for_s: float | None


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish this view in the place of the stored one."""

    view: View


Decision = NotLeader | Keep | Wait | Publish


def decide(facts: Facts, new_lineage: str, now: datetime) -> Decision:
    """The leader's next act. ``new_lineage``: a fresh random id, used only where a lineage begins; ``now``: UTC.

    * A new leader's first act is to republish, whether or not anything changed: so whatever an earlier leader
      still has under way finds another stored view than the one it has read, and is refused.
    * After that, a view is published only when the members changed (node_id, incarnation, weight or labels).
    * Members are the nodes that take work. A view is never without members: as long as no node takes work the last
      members stay. They decline by themselves what they cannot run, it stays PENDING, and it has an owner again
      as soon as one of them is fit; a view without members would leave nobody to create runs, nor any member to
      be matched by name when nodes restart while the coordinator is away.
    * Where no view is found, its data was lost, or the cluster is new: the leader waits one session timeout, so that
      all nodes have registered again or are known to be gone, and then begins a new lineage.
    * Epochs rise within a lineage, also above any epoch a node says it has applied (a coordinator restored from a
      backup may hold an older view than the nodes go by).
    """
    if not facts.leading:
        return NotLeader()
    members = _members(facts)
    if facts.stored is None:
        return _begin(facts, members, new_lineage, now)
    first_act = not facts.has_published or facts.stored.published_by != facts.incarnation
    if not first_act and (members in ((), facts.stored.members)):
        return Keep()
    return Publish(
        View(
            lineage=facts.stored.lineage,
            epoch=_highest_epoch(facts, facts.stored.lineage) + 1,
            published_by=facts.incarnation,
            members=members or facts.stored.members,
            published_at=now,
        )
    )


def accepts(current: View | None, new: View) -> bool:
    """Whether a node that goes by ``current`` is to go by ``new``: another lineage, or a higher epoch of the same.

    The coordinator's order is trusted between lineages: what is stored now is the newest, since its data was lost
    or restored in between.
    """
    if current is None or current.lineage != new.lineage:
        return True
    return new.epoch > current.epoch


def _begin(facts: Facts, members: tuple[Member, ...], new_lineage: str, now: datetime) -> Decision:
    remaining = facts.session_timeout_s - facts.without_view_s
    if remaining > 0:
        return Wait(remaining)
    if not members:
        return Wait(None)
    epoch = _highest_epoch(facts, new_lineage) + 1
    return Publish(View(new_lineage, epoch, facts.incarnation, members, now))


def _members(facts: Facts) -> tuple[Member, ...]:
    fit = (node for node in facts.nodes if node.takes_work and usable_weight(node.weight))
    found = (Member(node.node_id, node.incarnation, node.weight, node.labels) for node in fit)
    return tuple(sorted(found, key=lambda member: member.node_id))


def _highest_epoch(facts: Facts, lineage: str) -> int:
    seen = [view.epoch for view in (facts.stored, facts.last_seen) if view and view.lineage == lineage]
    return max([0, *seen, *(node.applied_epoch for node in facts.nodes)])
