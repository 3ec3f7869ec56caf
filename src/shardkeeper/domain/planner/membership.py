"""Who shares the work now, as this node sees it: the view, less those that the lease table knows as dead or
draining (rule 8)."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from shardkeeper.domain.leadership import accepts
from shardkeeper.domain.leases import Lease, LeaseState
from shardkeeper.domain.roster import Roster
from shardkeeper.domain.sharding import is_lone, order_of_nodes, owned_items, owner
from shardkeeper.domain.specs import JobSpec, Strategy
from shardkeeper.domain.view import LeaseView, View, effective_members, matches

MOST_KNOWN = 1_000_000
"""Jobs of one item of which is remembered whether they are this node's, for each choice of labels: beyond that all are
forgotten. Some forty bytes for each."""
_THE_ONLY = (0,)


class Membership:
    """``node_id`` is this node's."""

    def __init__(self, node_id: str) -> None:
        self._me = node_id
        self._view: View | None = None
        self._leases = LeaseView()
        self._labels: dict[str, Mapping[str, str]] = {}
        """Of the nodes whose lease is active, whether or not they are members."""
        self.roster = Roster(())
        self._owns: dict[Roster, dict[str, bool]] = {}
        """Of jobs of one item by name, by those who have their labels."""

    @property
    def view(self) -> View | None:
        """The view in use: the newest accepted, however long ago."""
        return self._view

    def see_view(self, view: View) -> bool:
        """Whether it was accepted: a higher epoch of the same lineage, or any other lineage."""
        if not accepts(self._view, view):
            return False
        self._view = view
        return True

    def see_leases(self, leases: Iterable[Lease], stay: bool) -> None:
        """``stay``: this node is draining but still counts itself, until the others have read of it."""
        leases = tuple(leases)
        live: dict[str, str] = {}
        draining: set[str] = set()
        dead: set[str] = set()
        for lease in leases:
            if lease.state is LeaseState.DEAD:
                dead.add(lease.node_id)
            elif lease.state is LeaseState.DRAINING and not (stay and lease.node_id == self._me):
                draining.add(lease.node_id)
            else:
                live[lease.node_id] = lease.incarnation
        self._labels = {one.node_id: one.labels for one in leases if live.get(one.node_id) == one.incarnation}
        self._leases = LeaseView(live=live, draining=frozenset(draining), dead=frozenset(dead))

    def refresh(self) -> Roster | None:
        """Compute the effective members anew; the roster of before when ownership may have moved, else None.

        Another incarnation of the same node moves nothing.
        """
        members = effective_members(self._view, self._leases)
        before = self.roster
        if _shares(before) == _shares(roster := Roster(members)):
            return None
        self.roster = roster
        # what was worked out among them is of no more use
        self._owns.clear()
        return before

    def creator(self, spec: JobSpec) -> str | None:
        """The owner of the lowest item; where nobody fits, who would own it without the selector: the run
        must exist."""
        among = self.roster.eligible(spec.node_selector) or self.roster
        if not among:
            return None
        return owner(spec.name, 0, spec.sharding_total_count, spec.sharding_strategy, among)

    def is_creator(self, spec: JobSpec, owned: tuple[int, ...]) -> bool:
        """Whether this node is the creator, when it owns these items: what one knows of the other is not worked out
        again for each fire."""
        if self.roster.eligible(spec.node_selector):
            return 0 in owned
        return self.creator(spec) == self._me

    def mine(self, spec: JobSpec) -> tuple[int, ...]:
        """The items of a scheduled fire that this node owns."""
        total, strategy = spec.sharding_total_count, spec.sharding_strategy
        if is_lone(total, strategy):
            return _THE_ONLY if self._owns_the_only(spec) else ()
        return owned_items(spec.name, total, strategy, self.roster, spec.node_selector, self._me)

    def _owns_the_only(self, spec: JobSpec) -> bool:
        """Whether the only item of the job is this node's: asked for each of its fires, on every node, and the same
        until the members change."""
        among = self.roster.eligible(spec.node_selector)
        known = self._owns.get(among)
        if known is None or len(known) >= MOST_KNOWN:
            known = self._owns[among] = {}
        owns = known.get(spec.name)
        if owns is None:
            found = owner(spec.name, 0, spec.sharding_total_count, spec.sharding_strategy, among)
            owns = known[spec.name] = found == self._me
        return owns

    def nodes_of(self, spec: JobSpec) -> tuple[str, ...] | None:
        """For ``each_node``: the node of each item; None for all other strategies."""
        if spec.sharding_strategy is not Strategy.EACH_NODE:
            return None
        return self.roster.eligible(spec.node_selector).node_ids

    def rank(self, spec: JobSpec, item: int, total: int, declined: Collection[str]) -> int | None:
        """This node's place in the item's order of nodes (0: owner), passing over those that declined; None:
        not in it."""
        order = order_of_nodes(
            spec.name, item, total, spec.sharding_strategy, self.roster, spec.node_selector
        )
        able = [node for node in order if node not in declined]
        return able.index(self._me) if self._me in able else None

    def anyone_fits(self, spec: JobSpec, declined: Collection[str]) -> bool:
        """Whether some effective member has the labels and has not declined, or somebody whose lease is active: who is
        skewed or cannot keep workers alive is no member, and takes work again as soon as that is over."""
        members = self.roster.eligible(spec.node_selector).node_ids
        return any(node not in declined for node in members) or any(
            node not in declined and matches(labels, spec.node_selector)
            for node, labels in self._labels.items()
        )

    def is_there(self, node_id: str) -> bool:
        """Whether the node is a member or has an active lease."""
        return node_id in self.roster.positions or node_id in self._labels


def _shares(roster: Roster) -> list[tuple[str, float, frozenset[tuple[str, str]]]]:
    return [(m.node_id, m.weight, frozenset(m.labels.items())) for m in roster.members]
