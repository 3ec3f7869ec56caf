"""Who owns which item. Every node works this out for itself, and alike, from the effective members.

Nothing here is stored or agreed upon per job. Give a ``Roster`` (see ``roster.py``) where more than one job is
asked about: it is made once for each change of the effective members, and answers are kept with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from shardkeeper.domain.roster import Roster
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.strategies import average, balanced, each_node, odevity, round_robin
from shardkeeper.domain.view import Member

Members = Roster | Iterable[Member]
"""Effective members, ready or not; in any order."""
Selector = Mapping[str, str] | None
"""Labels that a node must all have (``node_selector``); None or empty: any node."""

KEPT_ANSWERS = 512


def owners(
    job_name: str, total: int, strategy: Strategy, members: Members, selector: Selector = None
) -> tuple[str | None, ...]:
    """The node_id that owns each item; None for all of them when no member fits.

    ``total`` is the sharding total count, from 1. For ``each_node`` it is ignored: the answer has one item for each
    fitting member, and is what a run pins.
    """
    return _owners(job_name, total, strategy, _roster(members, selector))


def owner(
    job_name: str, item: int, total: int, strategy: Strategy, members: Members, selector: Selector = None
) -> str | None:
    """The node_id that owns one item; None when no member fits, or ``each_node`` has no such item now."""
    roster = _roster(members, selector)
    if is_lone(total, strategy) and item == 0:
        return balanced.first(job_name, roster) if roster else None
    found = _owners(job_name, total, strategy, roster)
    return found[item] if 0 <= item < len(found) else None


def owned_items(
    job_name: str, total: int, strategy: Strategy, members: Members, selector: Selector, node_id: str
) -> tuple[int, ...]:
    """The items that ``node_id`` owns, rising. Quick for a job of one item."""
    roster = _roster(members, selector)
    if node_id not in roster.positions:
        return ()
    if is_lone(total, strategy):
        return (0,) if balanced.first(job_name, roster) == node_id else ()
    found = _owners(job_name, total, strategy, roster)
    return tuple(item for item, one in enumerate(found) if one == node_id)


def order_of_nodes(
    job_name: str, item: int, total: int, strategy: Strategy, members: Members, selector: Selector = None
) -> tuple[str, ...]:
    """The item's order of nodes for adoption: its owner, then all other fitting members, heavier ones rather early.

    Items of ``each_node`` are never adopted: their order is the owner alone.
    """
    roster = _roster(members, selector)
    if not roster:
        return ()
    if is_lone(total, strategy):
        return tuple(balanced.order(job_name, item, total, roster))
    first = owner(job_name, item, total, strategy, roster)
    if strategy is Strategy.EACH_NODE or first is None:
        return () if first is None else (first,)
    others = balanced.order(job_name, item, total, roster)
    return (first, *(node_id for node_id in others if node_id != first))


def _roster(members: Members, selector: Selector) -> Roster:
    roster = members if isinstance(members, Roster) else Roster(members)
    return roster.eligible(selector)


def is_lone(total: int, strategy: Strategy) -> bool:
    """Whether it is a job of one item that is dealt like most."""
    return total == 1 and strategy is Strategy.BALANCED


@lru_cache(maxsize=KEPT_ANSWERS)
def _owners(job_name: str, total: int, strategy: Strategy, roster: Roster) -> tuple[str | None, ...]:
    if strategy is Strategy.EACH_NODE:
        return each_node.assign(roster)
    if not roster:
        return (None,) * total
    if strategy is Strategy.BALANCED:
        return balanced.assign(job_name, total, roster)
    if strategy is Strategy.ODEVITY:
        return odevity.assign(job_name, total, roster.node_ids)
    if strategy is Strategy.ROUND_ROBIN:
        return round_robin.assign(job_name, total, roster.node_ids)
    return average.assign(total, roster.node_ids)
