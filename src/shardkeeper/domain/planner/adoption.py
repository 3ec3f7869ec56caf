"""PENDING attempts: the one mailbox for what was not claimed at creation, for retries and for what was taken
over (rules 4 and 8).

Each look reads the claimable attempts. The owner *by the pinned version* takes them at once; another node
takes what was left lying, one delay per rank in the item's order of nodes. So an attempt is adopted whether
its owner is full, dead, skewed or cannot import it, without anybody having to know which.
"""

from __future__ import annotations

from shardkeeper.domain.attempts import Pending
from shardkeeper.domain.planner.actions import Action, Claim, CloseUnrunnable, ReadPending, ReadPinned, Wake
from shardkeeper.domain.planner.events import ClaimsAnswered, Moment, PendingDue, PendingRead
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.runs import AttemptKey, TriggerKind
from shardkeeper.domain.specs import JobVersion, Strategy

NO_ELIGIBLE_NODE = "no eligible node"


class Adoption:
    """Reads PENDING attempts about once a second, and at once when there is a reason to."""

    def __init__(self, mind: Mind, launching: Launching) -> None:
        self._mind = mind
        self._launching = launching
        self._reading = False

    def due(self, event: PendingDue, moment: Moment) -> list[Action]:
        """The regular look; the next is set whatever becomes of this one."""
        return [*self.look(), Wake(moment.mono + self._mind.settings.pending_period_s, event)]

    def look(self) -> list[Action]:
        """Read now, unless a reading is under way."""
        if self._reading or not self._mind.creates:
            return []
        self._reading = True
        return [ReadPending(self._mind.incarnation)]

    def store_away(self) -> None:
        """A reading under way will not be answered."""
        self._reading = False

    def read(self, event: PendingRead, moment: Moment) -> list[Action]:
        """Claim what this node is to take; close what nobody can run."""
        self._reading = False
        if not self._mind.creates:
            return []
        wanted: list[AttemptKey] = []
        hopeless: list[AttemptKey] = []
        unread: dict[int, int] = {}
        for row in event.rows:
            job = self._mind.catalog.job_version(row.job_version)
            if job is None:
                unread[row.job_version] = row.impl_version
            elif self._is_hopeless(row, job):
                hopeless.append(row.key)
            elif self._is_to_take(row, job):
                wanted.append(row.key)
        actions: list[Action] = []
        if unread:
            actions.append(ReadPinned(tuple(unread), tuple(dict.fromkeys(unread.values()))))
        if hopeless:
            actions.append(CloseUnrunnable(self._mind.incarnation, tuple(hopeless), NO_ELIGIBLE_NODE))
        if granted := self._mind.holdings.ask(wanted):
            actions.append(Claim(self._mind.incarnation, granted))
        return actions

    def answered(self, event: ClaimsAnswered, moment: Moment) -> list[Action]:
        """Start what was claimed; there may be room for more."""
        self._mind.holdings.answered(event.asked)
        actions = self._launching.take(event.claimed, moment)
        if self._mind.creates and (more := self._mind.holdings.next_waiting()):
            actions.append(Claim(self._mind.incarnation, more))
        return actions

    def _is_to_take(self, row: Pending, job: JobVersion) -> bool:
        mind = self._mind
        if row.key in mind.holdings or (row.job_version, row.impl_version) in mind.declined:
            return False
        if row.pinned_node is not None:
            return row.pinned_node == mind.settings.node_id
        if row.kind is TriggerKind.SUBMIT:
            return mind.membership.can_run_here(job.spec)
        rank = mind.membership.rank(job.spec, row.key.item, row.sharding_total_count, row.declined_by)
        return rank is not None and row.waiting_s >= rank * mind.settings.adoption_delay_s

    def _is_hopeless(self, row: Pending, job: JobVersion) -> bool:
        """No node has the labels and the code, for too long. Being full or skewed never counts towards
        that."""
        if row.waiting_s < self._mind.settings.unrunnable_after_s:
            return False
        if job.spec.sharding_strategy is Strategy.EACH_NODE and row.pinned_node is not None:
            present = row.pinned_node in self._mind.membership.roster.positions
            return not present or row.pinned_node in row.declined_by
        return not self._mind.membership.anyone_fits(job.spec, row.declined_by)
