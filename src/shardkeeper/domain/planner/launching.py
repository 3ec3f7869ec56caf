"""From claim to worker: an attempt is started under exactly the versions its run pins."""

from __future__ import annotations

from collections.abc import Iterable

from shardkeeper.domain.accounting import NO_NODE
from shardkeeper.domain.attempts import Claimed
from shardkeeper.domain.facts import AttemptClaimed
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.planner.actions import Action, Decline, Launch, ReadPinned, Record, Tell
from shardkeeper.domain.planner.events import Moment, PinnedRead
from shardkeeper.domain.planner.holdings import Holding
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.domain.specs import Strategy
from shardkeeper.domain.view import matches

NO_ELIGIBLE_NODE = "NoEligibleNode"
"""As the store calls what nobody pulled."""
UNREADABLE_DELAY_S = 5.0
"""How long an attempt lies before anyone may claim it again whose versions cannot be read here, or ask for labels that
this node has not."""
STOPPED_UNBEGUN = "stopped before it began"


class Launching:
    """Keeps claimed attempts whose pinned versions are still being read."""

    def __init__(self, mind: Mind) -> None:
        self._mind = mind
        self._parked: dict[AttemptKey, Claimed] = {}

    def take(self, claimed: Iterable[Claimed], moment: Moment) -> list[Action]:
        """Hold what was claimed, and start it; what is held already is left alone."""
        told: list[Action] = []
        actions: list[Action] = []
        unread: list[Claimed] = []
        for one in claimed:
            holding = self._mind.holdings.take(one)
            if holding is None:
                continue
            told.append(Tell(AttemptClaimed(one.run.job_name, one.key)))
            if self._mind.gives_back:
                actions.append(self._end(holding, AttemptStatus.PENDING, None))
            elif one.stop_requested:
                actions.append(self._end(holding, AttemptStatus.STOPPED, STOPPED_UNBEGUN))
            elif not self._launch(holding, actions, moment):
                unread.append(one)
        # work before words
        return [*actions, *self._park(unread), *told]

    def refuse(self, claimed: Iterable[Claimed]) -> list[Action]:
        """Give back what was pulled and cannot run here by the versions that it pins: for others, after a while."""
        held = [holding for one in claimed if (holding := self._mind.holdings.take(one)) is not None]
        return [self._end(holding, AttemptStatus.PENDING, None, UNREADABLE_DELAY_S) for holding in held]

    def give_up(self, claimed: Iterable[Claimed]) -> list[Action]:
        """Close what was pulled and no node has been able to run for too long."""
        held = [holding for one in claimed if (holding := self._mind.holdings.take(one)) is not None]
        return [
            self._end(holding, AttemptStatus.FAILED, NO_NODE, error_type=NO_ELIGIBLE_NODE) for holding in held
        ]

    def pinned_read(self, event: PinnedRead, moment: Moment) -> list[Action]:
        """Start what had waited for these versions; give back what cannot be read here (a newer node's
        spec)."""
        self._mind.catalog.pin(event.jobs, event.impls)
        again_at = moment.mono + UNREADABLE_DELAY_S
        self._mind.unreadable.update(dict.fromkeys(event.missing, again_at))
        actions: list[Action] = []
        for key, one in list(self._parked.items()):
            holding = self._mind.holdings.get(key)
            if holding is None or holding.claim_no != one.claim_no or holding.launched:
                del self._parked[key]
                continue
            reason = event.missing.get(one.run.job_version) or event.missing.get(one.run.impl_version)
            if self._mind.gives_back or holding.give_back:
                del self._parked[key]
                actions.append(self._end(holding, AttemptStatus.PENDING, None))
            elif holding.halted:
                # the workers were told to stop what they did not have yet
                del self._parked[key]
                actions.append(self._end(holding, AttemptStatus.STOPPED, STOPPED_UNBEGUN))
            elif not self._fits(one):
                del self._parked[key]
                actions.append(self._end(holding, AttemptStatus.PENDING, None, UNREADABLE_DELAY_S))
            elif self._launch(holding, actions, moment):
                del self._parked[key]
            elif reason is not None:
                del self._parked[key]
                actions += self._decline(holding, reason)
        return actions

    def forget(self) -> None:
        """This incarnation is dead."""
        self._parked.clear()

    def _fits(self, one: Claimed) -> bool:
        """Whether this node has the labels that the pinned version asks for: it was pulled by those that its job asks
        for now. An item of each_node is pinned to this node itself."""
        job = self._mind.catalog.job_version(one.run.job_version)
        if job is None or job.spec.sharding_strategy is Strategy.EACH_NODE:
            return True
        return matches(self._mind.settings.labels, job.spec.node_selector)

    def _launch(self, holding: Holding, actions: list[Action], moment: Moment) -> bool:
        catalog, run = self._mind.catalog, holding.claimed.run
        job, impl = catalog.job_version(run.job_version), catalog.impl_version(run.impl_version)
        if job is None or impl is None:
            return False
        sources = catalog.sources_of(impl, run.sharding_total_count, holding.claimed.key.item)
        holding.job, holding.launched, holding.launched_at = job, True, moment.mono
        actions.append(Launch(holding.claimed, job, impl, sources))
        return True

    def _park(self, unread: list[Claimed]) -> list[Action]:
        if not unread:
            return []
        self._parked.update((one.key, one) for one in unread)
        return [
            ReadPinned(
                tuple({one.run.job_version: None for one in unread}),
                tuple({one.run.impl_version: None for one in unread}),
            )
        ]

    def _decline(self, holding: Holding, reason: str) -> list[Action]:
        run = holding.claimed.run
        versions = (run.job_version, run.impl_version)
        self._mind.declined[versions] = reason
        return [
            Decline(run.job_name, versions, reason),
            self._end(holding, AttemptStatus.PENDING, None, UNREADABLE_DELAY_S),
        ]

    def _end(
        self,
        holding: Holding,
        status: AttemptStatus,
        message: str | None,
        delay_s: float = 0.0,
        error_type: str | None = None,
    ) -> Action:
        outcome = Outcome(
            holding.claimed.key,
            holding.claim_no,
            status,
            error_type=error_type,
            error_message=message,
            delay_s=delay_s,
        )
        self._mind.holdings.end(holding, outcome)
        return Record(self._mind.incarnation, outcome)
