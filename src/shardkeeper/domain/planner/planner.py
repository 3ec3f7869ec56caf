"""One event at a time, to the part that it concerns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from shardkeeper.domain.facts import WorkersBack, WorkersLost
from shardkeeper.domain.planner.actions import (
    Action,
    Alert,
    Beat,
    Claim,
    Enter,
    ForgetDeclines,
    ReadSpecs,
    RebuildTimers,
    Replay,
    Tell,
    Wake,
)
from shardkeeper.domain.planner.adoption import Adoption
from shardkeeper.domain.planner.beating import Beating
from shardkeeper.domain.planner.closing import Closing
from shardkeeper.domain.planner.creating import Creating
from shardkeeper.domain.planner.events import (
    AttemptBegan,
    AttemptsOver,
    BeatDue,
    Beaten,
    BeatUnanswered,
    CapacityChanged,
    ClaimsAnswered,
    ClockStepped,
    CreateDue,
    CreateOn,
    DrainAnswered,
    DrainAsked,
    Event,
    FireOn,
    GraceOver,
    HandedOver,
    Hinted,
    JoinAnswered,
    JoinDue,
    LastWord,
    LeaseEnds,
    Left,
    LookOn,
    Moment,
    OutcomesAnswered,
    PendingDue,
    PendingRead,
    PinnedRead,
    PullDue,
    Pulled,
    RunsAnswered,
    RunsUnanswered,
    SpecsDue,
    SpecsRead,
    Started,
    StoreAway,
    TakeoverAnswered,
    TakeUpOn,
    TasksRenewed,
    TimerFired,
    ViewSeen,
)
from shardkeeper.domain.planner.firing import Firing
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.lifecycle import Lifecycle
from shardkeeper.domain.planner.mind import Mind, Standing
from shardkeeper.domain.planner.pulling import Pulling
from shardkeeper.domain.planner.settings import PlannerSettings
from shardkeeper.domain.planner.warming import Warming

Handler = Callable[[Any, Moment], list[Action]]


class Planner:
    """One node's mind, through all its incarnations.

    ``new_incarnation`` gives fresh ids; ``draw`` random numbers in [0, 1). Both are inputs, so that a run
    can be replayed.
    """

    def __init__(
        self, settings: PlannerSettings, new_incarnation: Callable[[], str], draw: Callable[[], float]
    ) -> None:
        self.mind = Mind(settings, new_incarnation, draw)
        self._launching = Launching(self.mind)
        self._creating = Creating(self.mind, self._launching)
        self._firing = Firing(self.mind, self._creating)
        self._adoption = Adoption(self.mind, self._launching)
        self._pulling = Pulling(self.mind, self._launching)
        self._closing = Closing(self.mind)
        self._warming = Warming(self.mind)
        self._lifecycle = Lifecycle(self.mind, self._firing, self._adoption, self._launching, self._pulling)
        self._beating = Beating(self.mind, self._lifecycle, self._firing, self._adoption)
        self._handlers = self._table()
        self._unfit_times = 0

    def handle(self, event: Event, moment: Moment) -> list[Action]:
        """What is to be done about one event.

        What comes after the node's end is ignored, and so is what was answered to an earlier incarnation: nothing of it
        counts any more.
        """
        told = getattr(event, "incarnation", self.mind.incarnation)
        if self.mind.standing is Standing.GONE or told != self.mind.incarnation:
            return []
        return self._handlers[type(event)](event, moment)

    def _table(self) -> dict[type, Handler]:
        return {
            Started: self._started,
            JoinAnswered: self._join_answered,
            JoinDue: self._lifecycle.join_due,
            BeatDue: self._beating.due,
            Beaten: self._beating.beaten,
            BeatUnanswered: self._beating.unanswered,
            StoreAway: self._beating.unanswered,
            LeaseEnds: self._beating.lease_ends,
            TakeoverAnswered: self._lifecycle.takeover_answered,
            ViewSeen: self._beating.view_seen,
            SpecsRead: self._specs_read,
            SpecsDue: self._creating.specs_due,
            PinnedRead: self._pinned_read,
            TimerFired: self._firing.timer,
            FireOn: self._firing.fire_on,
            ClockStepped: self._clock_stepped,
            CreateDue: self._creating.create_due,
            CreateOn: self._creating.create_on,
            TakeUpOn: self._firing.take_up_on,
            LookOn: self._firing.look_on,
            RunsAnswered: self._creating.answered,
            RunsUnanswered: self._creating.unanswered,
            PendingDue: self._pending_due,
            PendingRead: self._pending_read,
            ClaimsAnswered: self._claims_answered,
            Pulled: self._pulled,
            PullDue: self._pulling.due,
            AttemptBegan: self._closing.began,
            AttemptsOver: self._over,
            OutcomesAnswered: self._outcomes_answered,
            CapacityChanged: self._capacity_changed,
            Hinted: self._hinted,
            DrainAsked: self._lifecycle.drain_asked,
            DrainAnswered: self._lifecycle.drain_answered,
            HandedOver: self._lifecycle.handed_over,
            GraceOver: self._lifecycle.grace_over,
            LastWord: self._lifecycle.last_word,
            TasksRenewed: self._tasks_renewed,
            Left: self._lifecycle.left,
        }

    def _started(self, event: Started, moment: Moment) -> list[Action]:
        regular = [Wake(moment.mono, BeatDue()), Wake(moment.mono, PendingDue())]
        # what an earlier life could not run is tried again
        # what it has to say of that life need not wait for all specs
        return [Replay(), ForgetDeclines(), ReadSpecs(), *regular]

    def _join_answered(self, event: JoinAnswered, moment: Moment) -> list[Action]:
        actions = self._lifecycle.join_answered(event, moment)
        if any(isinstance(action, Enter) for action in actions):
            # the first beat finds it: one way for the beginning and for every return
            self.mind.store_here = False
        return actions

    def _specs_read(self, event: SpecsRead, moment: Moment) -> list[Action]:
        actions = self._firing.specs_read(event, moment)
        self._pulling.specs_read(event)
        return [*self._warming.specs_read(event), *actions, *self._lifecycle.specs_read(event)]

    def _pending_due(self, event: PendingDue, moment: Moment) -> list[Action]:
        return [*self._adoption.due(event, moment), *self._pulling.tidy(moment), *self._pulling.look()]

    def _pinned_read(self, event: PinnedRead, moment: Moment) -> list[Action]:
        self._pulling.pinned_read(event, moment)
        found = self._adoption.look() if event.jobs else []
        return [*self._launching.pinned_read(event, moment), *found]

    def _pulled(self, event: Pulled, moment: Moment) -> list[Action]:
        # a pull that brought less than it might have leaves its share to what has an owner
        answered = self._pulling.answered(event, moment)
        return [*answered, *self._adoption.claim_waiting(), *self._creating.room_came()]

    def _pending_read(self, event: PendingRead, moment: Moment) -> list[Action]:
        return [*self._adoption.read(event, moment), *self._pulling.pending_read(event)]

    def _claims_answered(self, event: ClaimsAnswered, moment: Moment) -> list[Action]:
        answered = self._adoption.answered(event, moment)
        return [*answered, *self._creating.room_came(), *self._adoption.refill()]

    def _over(self, event: AttemptsOver, moment: Moment) -> list[Action]:
        over = self._closing.over(event, moment)
        return [*over, *self._creating.room_came(), *self._adoption.refill(), *self._pulling.refill()]

    def _outcomes_answered(self, event: OutcomesAnswered, moment: Moment) -> list[Action]:
        limited, hands_over = self._closing.limited(event), self._closing.hands_over(event)
        actions = [*self._closing.answered(event, moment), *self._lifecycle.leave_when_empty()]
        if not limited:
            waited = self._adoption.look_for_next(moment) if hands_over else []
            return [*actions, *waited, *self._pulling.refill()]
        return [*actions, *self._adoption.look_for_places(limited, moment), *self._pulling.look()]

    def _clock_stepped(self, event: ClockStepped, moment: Moment) -> list[Action]:
        """Timers are computed anew from the clock as it is now; what was passed over is looked at again."""
        self._firing.forget()
        rearmed = self._firing.rearm(moment)
        beat = [Beat(self.mind.incarnation)] if self.mind.standing is not Standing.JOINING else []
        return [RebuildTimers(), *rearmed, *beat, *self._firing.look_back(moment)]

    def _capacity_changed(self, event: CapacityChanged, moment: Moment) -> list[Action]:
        holdings = self.mind.holdings
        told = self._fitness(event, moment) if event.fit != holdings.fit else []
        holdings.capacity, holdings.fit = event.capacity, event.fit
        waiting = holdings.next_waiting() if self.mind.creates else ()
        claims = [Claim(self.mind.incarnation, waiting)] if waiting else []
        return [*told, *claims, *self._creating.room_came(), *self._pulling.refill()]

    def _fitness(self, event: CapacityChanged, moment: Moment) -> list[Action]:
        """Workers cannot be kept alive any more, or can again: people are told, once each time."""
        if event.fit:
            return [Tell(WorkersBack())]
        self._unfit_times += 1
        problem = event.problem or "not said"
        body = {"node_id": self.mind.settings.node_id, "at": moment.now.isoformat(), "problem": problem}
        key = f"unfit:{self.mind.incarnation}:{self._unfit_times}"
        return [Tell(WorkersLost(problem)), Alert(key, "unfit", body)]

    def _tasks_renewed(self, event: TasksRenewed, moment: Moment) -> list[Action]:
        self.mind.declined.clear()
        found = [*self._firing.look_back(moment), *self._adoption.look(), *self._pulling.look()]
        return [ForgetDeclines(), *found]

    def _hinted(self, event: Hinted, moment: Moment) -> list[Action]:
        actions = [*self._adoption.look(), *self._pulling.hinted(moment)] if event.work else []
        if event.orders and self.mind.standing not in (Standing.JOINING, Standing.GONE):
            actions.append(Beat(self.mind.incarnation))
        return actions
