"""PENDING attempts: the one mailbox for what was not claimed at creation, for retries and for what was taken
over (rules 4 and 8).

Each look reads the claimable attempts. The owner *by the pinned version* takes them at once; another node
takes what was left lying, one delay per rank in the item's order of nodes. So an attempt is adopted whether
its owner is full, dead, skewed or cannot import it, without anybody having to know which.
"""

from __future__ import annotations

from collections.abc import Iterable

from shardkeeper.domain.accounting import NO_NODE
from shardkeeper.domain.attempts import Pending
from shardkeeper.domain.planner.actions import Action, Claim, CloseUnrunnable, ReadPending, ReadPinned, Wake
from shardkeeper.domain.planner.events import ClaimsAnswered, Hinted, Moment, PendingDue, PendingRead
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.specs import JobSpec, JobVersion

SHORTEST_LOOK_S = 0.02
"""Between two looks for the sake of a rate: what it allows in that time is started together."""
NEXT_LOOK_S = 0.1
"""Between two looks for the sake of runs that waited for others."""

Versions = tuple[int, int]
"""Of a job and of its ImplSpec."""


class Adoption:
    """Reads PENDING attempts about once a second, and at once when there is a reason to."""

    def __init__(self, mind: Mind, launching: Launching) -> None:
        self._mind = mind
        self._launching = launching
        self._reading = False
        self._look_again = False
        self._full = False
        self._next_look_at = 0.0
        self._hopeless_since: dict[AttemptKey | Versions, float] = {}

    def due(self, event: PendingDue, moment: Moment) -> list[Action]:
        """The regular look; the next is set whatever becomes of this one."""
        return [*self.look(), Wake(moment.mono + self._mind.settings.pending_period_s, event)]

    def look(self) -> list[Action]:
        """Read now, or again as soon as the reading under way is answered."""
        if not self._mind.creates:
            return []
        if self._reading:
            self._look_again = True
            return []
        self._reading, self._look_again = True, False
        self._mind.holdings.begin_reading()
        return [ReadPending(self._mind.incarnation)]

    def look_for_places(self, jobs: Iterable[JobSpec], moment: Moment) -> list[Action]:
        """Attempts of these jobs were recorded: look for what waited for their places, and when a rate allows the next
        start, which may be sooner than the regular look."""
        waits_s = {
            job.rate_period.total_seconds() / job.rate_limit for job in jobs if job.rate_limit is not None
        }
        soon = sorted(wait_s for wait_s in waits_s if wait_s < self._mind.settings.pending_period_s)
        return [
            *self.look(),
            *(Wake(moment.mono + max(wait_s, SHORTEST_LOOK_S), Hinted(work=True)) for wait_s in soon[:1]),
        ]

    def look_for_next(self, moment: Moment) -> list[Action]:
        """Runs were closed here behind which others may wait: look now, and for those that close soon after it once."""
        if moment.mono < self._next_look_at:
            return []
        self._next_look_at = moment.mono + NEXT_LOOK_S
        return [*self.look(), Wake(self._next_look_at, Hinted(work=True))]

    def refill(self) -> list[Action]:
        """Look when what was found before is used up and there was more."""
        return (
            self.look() if self._full and not self._mind.holdings.waiting and self._mind.holdings.room else []
        )

    def store_away(self) -> None:
        """A reading under way will not be answered."""
        self._reading = self._full = False
        self._hopeless_since.clear()

    def read(self, event: PendingRead, moment: Moment) -> list[Action]:
        """Claim what this node is to take; close what nobody can run."""
        self._reading = False
        if not self._mind.creates:
            return []
        self._full = event.full
        if not event.full:
            self._mind.holdings.forget_read()
        wanted: list[AttemptKey] = []
        unfit: list[Pending] = []
        unread: dict[int, int] = {}
        for row in event.rows:
            job = self._mind.catalog.job_version(row.job_version)
            if job is None:
                if self._mind.unreadable.get(row.job_version, 0.0) <= moment.mono:
                    unread[row.job_version] = row.impl_version
            elif not self._anyone_fits(row, job):
                unfit.append(row)
            elif row.owned and self._is_to_take(row, job):
                wanted.append(row.key)
        hopeless = self._hopeless(unfit, moment.mono)
        actions: list[Action] = self.look() if self._look_again else []
        if unread:
            actions.append(ReadPinned(tuple(unread), tuple(dict.fromkeys(unread.values()))))
        if hopeless:
            actions.append(CloseUnrunnable(self._mind.incarnation, tuple(hopeless), NO_NODE))
        self._mind.holdings.wait(wanted)
        if granted := self._mind.holdings.next_waiting():
            actions.append(Claim(self._mind.incarnation, granted))
        return actions

    def answered(self, event: ClaimsAnswered, moment: Moment) -> list[Action]:
        """Start what was claimed; there may be room for more."""
        self._mind.holdings.answered(event.asked)
        return [*self._launching.take(event.claimed, moment), *self.claim_waiting()]

    def claim_waiting(self) -> list[Action]:
        """As much of what waits for room as there is room for."""
        waiting = self._mind.holdings.next_waiting() if self._mind.creates else ()
        return [Claim(self._mind.incarnation, waiting)] if waiting else []

    def _is_to_take(self, row: Pending, job: JobVersion) -> bool:
        mind = self._mind
        if row.key in mind.holdings or (row.job_version, row.impl_version) in mind.declined:
            return False
        if row.pinned_node is not None:
            return row.pinned_node == mind.settings.node_id
        rank = mind.membership.rank(job.spec, row.key.item, row.sharding_total_count, row.declined_by)
        return rank is not None and row.waiting_s >= rank * mind.settings.adoption_delay_s

    def _anyone_fits(self, row: Pending, job: JobVersion) -> bool:
        """Whether some node has the labels and the code. Being full, skewed or unfit never counts."""
        if row.pinned_node is not None:
            return self._mind.membership.is_there(row.pinned_node) and row.pinned_node not in row.declined_by
        return self._mind.membership.anyone_fits(job.spec, row.declined_by)

    def _hopeless(self, unfit: list[Pending], mono: float) -> list[AttemptKey]:
        """Those for which this node has seen nobody fit for too long.

        Only its own watching counts: a row may have lain for hours before the first node came, or before the one with
        the labels did. Where no member is known at all, nothing is known of who fits. Of a queue without owners only
        the head is shown, so its attempts are watched by their versions.
        """
        if not self._mind.membership.roster:
            unfit = []
        self._hopeless_since = {
            subject: self._hopeless_since.get(subject, mono) for subject in map(_watched, unfit)
        }
        long_ago = mono - self._mind.settings.unrunnable_after_s
        return [row.key for row in unfit if self._hopeless_since[_watched(row)] <= long_ago]


def _watched(row: Pending) -> AttemptKey | Versions:
    return row.key if row.owned else (row.job_version, row.impl_version)
