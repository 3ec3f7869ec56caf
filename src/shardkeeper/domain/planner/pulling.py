"""Pulling attempts that have no owner: whoever has room takes the best, by age and priority.

One pull is under way at a time. It is asked for when there is a hint of work and shortly after it again, when room came
free and the last pull had brought all it asked for, and about once a second. A busy node pulls nothing.
"""

from __future__ import annotations

from shardkeeper.domain.attempts import Claimed
from shardkeeper.domain.planner.actions import Action, Pull, ReadPinned, TakeBack, Wake
from shardkeeper.domain.planner.events import Moment, PendingRead, PinnedRead, PullDue, Pulled, SpecsRead
from shardkeeper.domain.planner.holdings import Holding
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.runs import TriggerKind
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import matches

Versions = tuple[int, int]
"""Of a job and of its ImplSpec."""
DECLINES_KNOWN_S = 15.0
"""For how long it counts who declined a job when that was read last."""


class Pulling:
    """What this node asks the queue without owners for, and what it knows of it."""

    def __init__(self, mind: Mind, launching: Launching) -> None:
        self._mind = mind
        self._launching = launching
        self._under_way = False
        self._again = False
        self._more = False
        """There may be more than the last pull has brought, or there was no room for one."""
        self._not_here: set[str] = set()
        """Jobs whose labels this node does not have."""
        self._unread: dict[str, int] = {}
        """Jobs with a version, by its number, that cannot be read here: perhaps right for a newer node."""
        self._lies_here: set[str] = set()
        """Jobs of which something lies in the queue that can run here by the versions it pins, whatever the job is by
        now."""
        self._declined: dict[str, tuple[float, frozenset[tuple[int, int, str]]]] = {}
        """Of jobs of which something was refused here: who declines them, under which versions, and when that was
        read."""
        self._hopeless_since: dict[Versions, float] = {}
        """Versions that runs pin and no member has the labels for, with since when this node has seen it so."""
        self._wakes = 0
        self._wakes_until = 0.0

    def look(self) -> list[Action]:
        """Pull as much as there is room for, now or when the pull under way is answered."""
        mind = self._mind
        if not mind.creates:
            return []
        if self._under_way:
            self._again = True
            return []
        most = mind.holdings.room_to_pull(mind.settings.busy_at)
        if most <= 0:
            self._more = True
            return []
        self._under_way, self._again = True, False
        mind.holdings.reserve_for_pull(most)
        return [Pull(mind.incarnation, most, self._not_jobs())]

    def hinted(self, moment: Moment) -> list[Action]:
        """Work was submitted: look, and look again for what is committed a moment later."""
        wakes: list[Action] = []
        delays = self._mind.settings.pull_again_s
        # a look that is set already does, unless it comes too soon for what follows this hint without one of its own
        if not self._wakes or moment.mono + delays[0] > self._wakes_until:
            self._wakes += len(delays)
            self._wakes_until = moment.mono + delays[-1]
            wakes = [Wake(moment.mono + delay, PullDue()) for delay in delays]
        return [*self.look(), *wakes]

    def due(self, event: PullDue, moment: Moment) -> list[Action]:
        """A hint was given a moment ago."""
        self._wakes = max(0, self._wakes - 1)
        return self.look()

    def answered(self, event: Pulled, moment: Moment) -> list[Action]:
        """Start what was pulled; there may be more."""
        mind = self._mind
        mind.holdings.release(event.most)
        self._under_way = False
        if event.claimed is None:
            self._more = True
            return []
        own = [one for one in event.claimed if self._runs_here(one.run.job_version, one.run.impl_version)]
        others = [one for one in event.claimed if one not in own] if len(own) < len(event.claimed) else []
        hopeless = [one for one in others if self._is_hopeless(one, moment.mono)]
        # after what is refused others lie that would be too: they wait for the next look
        self._more = len(event.claimed) >= event.most and not others
        actions = self._launching.take(own, moment)
        actions += self._launching.refuse(one for one in others if one not in hopeless)
        actions += self._launching.give_up(hopeless)
        if others:
            versions = {one.run.job_version: one.run.impl_version for one in others}
            actions.append(ReadPinned(tuple(versions), tuple(dict.fromkeys(versions.values()))))
        for one in others:
            if self._mind.catalog.job_version(one.run.job_version) is None:
                self._unread[one.run.job_name] = one.run.job_version
        return [*actions, *(self.look() if self._again else self.refill())]

    def pending_read(self, event: PendingRead) -> list[Action]:
        """Pull of the jobs, too, of which something has lain for seconds that can run here: what they ask for now is
        no matter to what was submitted before."""
        self._lies_here = {
            row.job_name
            for row in event.rows
            if not row.owned
            and self._mind.catalog.job_version(row.job_version) is not None
            and self._runs_here(row.job_version, row.impl_version)
        }
        return self.look() if self._lies_here else []

    def pinned_read(self, event: PinnedRead, moment: Moment) -> None:
        """Who declines the jobs of what was refused: who has the labels may lack the code."""
        for job in event.jobs:
            declined = event.declined.get(job.spec.name, frozenset())
            self._declined[job.spec.name] = (moment.mono, declined)

    def tidy(self, moment: Moment) -> list[Action]:
        """What lies here unbegun behind tasks that take long goes back to the queue: another node may be free."""
        self._heed_long_ones(moment.mono)
        # what was refused is pulled and refused again within seconds, and then it is read again who declines it
        self._declined = {
            name: (at, declined)
            for name, (at, declined) in self._declined.items()
            if moment.mono - at <= DECLINES_KNOWN_S
        }
        self._hopeless_since = {
            versions: since for versions, since in self._hopeless_since.items() if self._nobody_fits(versions)
        }
        longest_s = self._mind.settings.unbegun_s
        return [
            TakeBack(holding.claimed.key, holding.claim_no)
            for holding in self._mind.holdings
            if holding.launched
            and holding.begun_at is None
            and holding.outcome is None
            and moment.mono - holding.launched_at >= longest_s
            and self._has_no_owner(holding)
        ]

    def _is_hopeless(self, one: Claimed, mono: float) -> bool:
        """Whether nobody has had the labels that its run pins for too long.

        What the job is by now may ask for others, so that nodes go on pulling it: between two pulls it lies too shortly
        to be closed as what nobody pulls is.
        """
        versions = (one.run.job_version, one.run.impl_version)
        if one.stop_requested or not self._nobody_fits(versions):
            return False
        since = self._hopeless_since.setdefault(versions, mono)
        return mono - since >= self._mind.settings.unrunnable_after_s

    def _nobody_fits(self, versions: Versions) -> bool:
        job, membership = self._mind.catalog.job_version(versions[0]), self._mind.membership
        if job is None or not membership.roster:
            return False
        declined = {
            node
            for job_version, impl_version, node in self._declined.get(job.spec.name, (0.0, ()))[1]
            if job_version in (0, versions[0]) and impl_version in (0, versions[1])
        }
        return not membership.anyone_fits(job.spec, declined)

    def _heed_long_ones(self, mono: float) -> None:
        """While all workers are held by tasks that run long, nothing has ended that tells how long tasks are."""
        holdings = self._mind.holdings
        ages = [
            mono - holding.begun_at
            for holding in holdings
            if holding.begun_at is not None and holding.outcome is None
        ]
        if len(ages) >= holdings.capacity > 0:
            holdings.lasted(min(ages))

    def _has_no_owner(self, holding: Holding) -> bool:
        job = holding.job
        if job is None or job.spec.sharding_strategy is Strategy.EACH_NODE:
            return False
        kind = holding.claimed.run.kind
        return kind is TriggerKind.SUBMIT or (kind is TriggerKind.RERUN and not job.spec.scheduled)

    def refill(self) -> list[Action]:
        """Room came free: pull when there was more before, in batches worth a call."""
        if not self._more or self._under_way:
            return []
        holdings = self._mind.holdings
        # early enough that the workers have something to do until the answer is here
        worth = max(1, (holdings.ahead - 1) // 4)
        return self.look() if holdings.room_to_pull(self._mind.settings.busy_at) >= worth else []

    def specs_read(self, event: SpecsRead) -> None:
        """Remember which jobs this node has not the labels for."""
        if event.whole:
            self._not_here.clear()
            self._unread.clear()
        for name, history in event.jobs.items():
            self._unread.pop(name, None)
            last = history.last
            if last is not None and not matches(self._mind.settings.labels, last.spec.node_selector):
                self._not_here.add(name)
            else:
                self._not_here.discard(name)

    def forget(self) -> None:
        """This incarnation is dead: what it asked for is another's, and the answer will be ignored."""
        self._under_way = self._again = False
        self._more = True

    def _not_jobs(self) -> tuple[str, ...]:
        declined = set()
        for job_version, impl_version in self._mind.declined:
            job = self._mind.catalog.job_version(job_version)
            if job is not None and self._is_newest(job.spec.name, job_version, impl_version):
                declined.add(job.spec.name)
        return tuple(sorted((declined | self._not_here | self._unread.keys()) - self._lies_here))

    def _is_newest(self, name: str, job_version: int, impl_version: int) -> bool:
        """Whether what is declined is what the job is now, or only what it was before it was mended."""
        history = self._mind.catalog.job(name)
        last = history.last if history else None
        if last is None or last.version != job_version:
            return last is None
        impl = self._mind.catalog.newest_impl(last.spec.impl_spec)
        return impl is None or impl.version == impl_version

    def _runs_here(self, job_version: int, impl_version: int) -> bool:
        """By the pinned versions, which may differ from those in force."""
        if (job_version, impl_version) in self._mind.declined:
            return False
        job = self._mind.catalog.job_version(job_version)
        return job is None or matches(self._mind.settings.labels, job.spec.node_selector)
