"""The beat: the own lease, the leases of others, and what the store believes this incarnation holds (rules
7, 8, 12 and 15)."""

from __future__ import annotations

from collections.abc import Iterable

from shardkeeper.domain.facts import ClockSkewed, LeaseLapsed, MembersChanged, StoreFound, StoreLost
from shardkeeper.domain.leases import BeatAnswer, Held
from shardkeeper.domain.outcomes import Outcome
from shardkeeper.domain.planner.actions import (
    Action,
    Alert,
    Beat,
    Claim,
    Halt,
    MirrorView,
    ReadSpecs,
    Record,
    Resize,
    SaySkewed,
    TakeOver,
    Tell,
    Wake,
)
from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.events import (
    BeatDue,
    Beaten,
    BeatUnanswered,
    LeaseEnds,
    Moment,
    StoreAway,
    ViewSeen,
)
from shardkeeper.domain.planner.firing import Firing
from shardkeeper.domain.planner.lifecycle import Lifecycle
from shardkeeper.domain.planner.mind import Mind, Standing
from shardkeeper.domain.planner.watch import LeaseWatch
from shardkeeper.domain.runs import AttemptKey, AttemptStatus
from shardkeeper.domain.specs import OnLeaseLoss
from shardkeeper.domain.view import View

Claims = dict[AttemptKey, int]
"""Attempts with their claim numbers."""


class Beating:
    """Keeps the lease, watches the others', and compares what is held with what the store has."""

    def __init__(self, mind: Mind, lifecycle: Lifecycle, firing: Firing, adoption: Adoption) -> None:
        self._mind = mind
        self._lifecycle = lifecycle
        self._firing = firing
        self._adoption = adoption
        self._watch = LeaseWatch(mind.settings.lease_s)
        self._lease_until: float | None = None
        self._lease_timer_set = False
        self._away_since: float | None = None
        self._strange: Claims = {}
        self._unknown: Claims = {}
        self._workers_ordered: int | None = None
        self._skews = 0

    def due(self, event: BeatDue, moment: Moment) -> list[Action]:
        """Beat, and set the next one: the cadence does not depend on answers."""
        again = Wake(moment.mono + self._mind.settings.beat_period_s, event)
        if self._mind.standing in (Standing.JOINING, Standing.GONE):
            return [again]
        return [Beat(self._mind.incarnation), again]

    def beaten(self, event: Beaten, moment: Moment) -> list[Action]:
        """One reading of everything."""
        mind, answer = self._mind, event.answer
        if event.incarnation != mind.incarnation or mind.standing is Standing.GONE:
            return []
        if not answer.alive:
            self._reset()
            return self._lifecycle.found_dead(moment)
        actions = self._keep_lease(event, moment)
        actions += self._store_found(moment)
        actions += self._clock(event, moment)
        actions += self._take_over(event, moment)
        if answer.mirrored is not None and _helps(mind.membership.view, answer.mirrored):
            mind.membership.see_view(answer.mirrored)
        mind.membership.see_leases(answer.leases, self._lifecycle.stays)
        actions += self._members(moment)
        actions += self._reconcile(answer)
        actions += self._lifecycle.obey_order(answer.drain_ordered, moment)
        if answer.workers_ordered is not None and answer.workers_ordered != self._workers_ordered:
            self._workers_ordered = answer.workers_ordered
            actions.append(Resize(answer.workers_ordered))
        return actions

    def unanswered(self, event: BeatUnanswered | StoreAway, moment: Moment) -> list[Action]:
        """Claim nothing until a beat is answered; outcomes wait in their lane and in the journal."""
        self._adoption.store_away()
        if not self._mind.store_here:
            return []
        self._mind.store_here = False
        self._away_since = moment.mono
        self._mind.holdings.forget_waiting()
        return [Tell(StoreLost(event.reason))]

    def lease_ends(self, event: LeaseEnds, moment: Moment) -> list[Action]:
        """Others may take over from now on: tasks that must not overlap are killed, and go back if that is
        still possible."""
        self._lease_timer_set = False
        if self._lease_until is None:
            return []
        if moment.mono < self._lease_until:
            return self._set_lease_timer()
        halted: list[Action] = []
        for holding in self._mind.holdings:
            must_stop = holding.job is not None and holding.job.spec.on_lease_loss is OnLeaseLoss.STOP
            if holding.outcome is None and must_stop and not holding.halted:
                holding.halted = holding.give_back = True
                halted.append(Halt(holding.claimed.key, holding.claim_no, 0.0))
        return [Tell(LeaseLapsed(len(halted))), *halted]

    def view_seen(self, event: ViewSeen, moment: Moment) -> list[Action]:
        """A view was published: ownership may move, and the leader mirrors it for nodes that restart without
        ZooKeeper."""
        if not self._mind.membership.see_view(event.view):
            return []
        actions = self._members(moment)
        if event.view.published_by == self._mind.incarnation:
            actions.append(MirrorView(event.view))
        return actions

    def _reset(self) -> None:
        self._watch = LeaseWatch(self._mind.settings.lease_s)
        self._lease_until = None
        self._strange, self._unknown = {}, {}

    def _keep_lease(self, event: Beaten, moment: Moment) -> list[Action]:
        """The own lease counts from before the beat was sent."""
        self._lease_until = event.sent_mono + self._mind.settings.lease_s
        return [] if self._lease_timer_set else self._set_lease_timer()

    def _set_lease_timer(self) -> list[Action]:
        self._lease_timer_set = True
        assert self._lease_until is not None, "a timer is set for a lease"
        return [Wake(self._lease_until, LeaseEnds())]

    def _store_found(self, moment: Moment) -> list[Action]:
        mind = self._mind
        if mind.store_here:
            return []
        mind.store_here = True
        told = [Tell(StoreFound(moment.mono - self._away_since))] if self._away_since is not None else []
        self._away_since = None
        return [*told, ReadSpecs(), *self._firing.look_back(moment), *self._adoption.look()]

    def _clock(self, event: Beaten, moment: Moment) -> list[Action]:
        """Compare with the store's clock, at the middle of the call; beyond the limit nothing is created or
        claimed."""
        mind = self._mind
        since_s = moment.mono - event.sent_mono
        by_s = (moment.now - event.answer.now).total_seconds() - since_s / 2
        skewed = abs(by_s) - since_s / 2 > mind.settings.skew_limit_s
        if skewed == mind.skewed:
            return []
        mind.skewed = skewed
        told: list[Action] = [Tell(ClockSkewed(by_s, within_limit=not skewed)), SaySkewed(skewed)]
        if not skewed:
            return [*told, *self._firing.look_back(moment), *self._adoption.look()]
        node = mind.settings.node_id
        body = {"node_id": node, "skew_s": round(by_s, 3), "limit_s": mind.settings.skew_limit_s}
        self._skews += 1
        return [*told, Alert(f"clock-skew:{mind.incarnation}:{self._skews}", "clock_skew", body)]

    def _take_over(self, event: Beaten, moment: Moment) -> list[Action]:
        others = [one for one in event.answer.leases if one.incarnation != event.incarnation]
        lapsed = self._watch.read(others, event.sent_mono, moment.mono)
        return [TakeOver(event.incarnation, one.incarnation, one.beat) for one in lapsed]

    def _members(self, moment: Moment) -> list[Action]:
        mind = self._mind
        if mind.membership.refresh() is None:
            return []
        view = mind.membership.view
        fact = MembersChanged(view.epoch if view else 0, mind.membership.roster.node_ids)
        return [Tell(fact), *self._firing.look_back(moment), *self._adoption.look()]

    def _reconcile(self, answer: BeatAnswer) -> list[Action]:
        """Two readings in a row must agree: calls under way explain a single difference."""
        mind = self._mind
        stored = {held.key: held.claim_no for held in answer.held}
        actions = self._obey_stops(answer.held)
        unknown = {key: no for key, no in stored.items() if not self._holds(key, no)}
        landed = {key: no for key, no in unknown.items() if self._unknown.get(key) == no}
        self._unknown = unknown
        wanted = tuple(
            key for key, no in landed.items() if mind.creates and not mind.holdings.is_over(key, no)
        )
        if wanted:
            actions.append(Claim(mind.incarnation, wanted))
        for key in wanted:
            del landed[key]
        actions += [
            Record(mind.incarnation, Outcome(key, no, AttemptStatus.PENDING)) for key, no in landed.items()
        ]
        strange = {
            one.claimed.key: one.claim_no
            for one in mind.holdings
            if one.outcome is None and stored.get(one.claimed.key) != one.claim_no
        }
        for key, claim_no in strange.items():
            if self._strange.get(key) == claim_no:
                mind.holdings.drop(key, claim_no)
                actions.append(Halt(key, claim_no, 0.0))
        self._strange = strange
        return actions + self._lifecycle.leave_when_empty()

    def _holds(self, key: AttemptKey, claim_no: int) -> bool:
        holding = self._mind.holdings.get(key)
        return holding is not None and holding.claim_no == claim_no

    def _obey_stops(self, held: Iterable[Held]) -> list[Action]:
        actions: list[Action] = []
        for one in held:
            holding = self._mind.holdings.get(one.key)
            if one.stop_requested and holding is not None and not holding.halted:
                holding.halted = True
                actions.append(Halt(one.key, one.claim_no, self._mind.settings.halt_after_s))
        return actions


def _helps(view: View | None, mirrored: View) -> bool:
    """A mirrored view counts where none is known, or an older one of the same lineage: of two lineages the coordinator
    alone knows the newer."""
    return view is None or (view.lineage == mirrored.lineage and view.epoch < mirrored.epoch)
