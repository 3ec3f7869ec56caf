"""Creating and claiming the runs of scheduled fires, on time and by look-back (rules 3 and 8).

The owner of the lowest item creates at once, or, where no other node owns one, as soon as there is room
(``creation_queue``). The other owners ask for their items a moment later, and create the run themselves when
it is still not there. Both calls are the same conditional write, so it does not matter who is believed to be
the owner.

A *look-back* asks again for each fire inside the on-time window: for items that this node has newly come to
own, for versions just taken up, and for everything after PostgreSQL was away. What was asked for already is
not asked again.

Changes of many jobs at once are *taken up* in pieces, so that other jobs are not late for them; a job that is due
before its turn is taken up then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import chain

from shardkeeper.domain.attempts import CreateAnswer, CreateRun, Creation
from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.facts import FireLeft, RunCreated
from shardkeeper.domain.planner.actions import Action, Claim, ReadSpecs, Tell, Wake
from shardkeeper.domain.planner.creation_queue import CreationQueue
from shardkeeper.domain.planner.events import (
    CreateDue,
    CreateOn,
    FireOn,
    LookOn,
    Moment,
    RunsAnswered,
    RunsUnanswered,
    SpecsDue,
    SpecsRead,
    TakeUpOn,
    TimerFired,
)
from shardkeeper.domain.planner.launching import Launching
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.runs import AttemptKey
from shardkeeper.domain.schedule import MICROSECOND, fires_of, is_within
from shardkeeper.domain.specs import JobVersion

FireKey = tuple[str, datetime]

RELOAD_AFTER_S = (0.0, 0.1, 0.5, 2.0)
"""Waits before reading a job again whose version the store did not agree with; then the fire is left to the
sweep."""
SHORTEST_WAIT_S = 0.001


class Firing:
    """Remembers which items of which fires inside the on-time window were asked for."""

    def __init__(self, mind: Mind, launching: Launching) -> None:
        self._mind = mind
        self._launching = launching
        self._window = timedelta(seconds=mind.settings.on_time_window_s)
        self._lead = timedelta(seconds=mind.settings.lead_s)
        self._creations = CreationQueue(mind)
        self._asked: dict[FireKey, frozenset[int]] = {}
        self._asked_in_order: deque[FireKey] = deque()
        self._reloads: dict[FireKey, int] = {}
        self._fired: deque[Iterator[tuple[datetime, str]]] = deque()
        """Fires of timers that went off, and are not gone through yet."""
        self._looking: Iterator[tuple[str, datetime]] | None = None
        self._changed: dict[str, JobHistory] = {}
        """What was read and is not taken up yet; what was read last is taken up first."""

    def specs_read(self, event: SpecsRead, moment: Moment) -> list[Action]:
        """Take up new versions: timers, and each of their fires inside the window."""
        mind = self._mind
        for impl_name, impl in event.impls.items():
            mind.catalog.learn_impl(impl_name, impl)
        if not event.whole:
            for name in event.jobs:
                self._changed.pop(name, None)
            self._changed.update(event.jobs)
            actions = self.take_up_on(TakeUpOn(), moment)
            return actions + self.look_back(moment) if event.impls else actions
        self._changed.clear()
        actions = []
        for name, history in event.jobs.items():
            actions += self._learn(name, history, moment)
        for name in mind.catalog.forget_others(event.jobs, event.impls):
            actions += mind.timetable.place(name, None, self._until(moment))
        return actions + self.look_back(moment)

    def take_up_on(self, event: TakeUpOn, moment: Moment) -> list[Action]:
        """One more piece of what was changed."""
        actions: list[Action] = []
        for _ in range(min(len(self._changed), self._mind.settings.take_up_piece)):
            actions += self._take_up(*self._changed.popitem(), moment)
        return [*actions, Wake(moment.mono, event)] if self._changed else actions

    def timer(self, event: TimerFired, moment: Moment) -> list[Action]:
        """The jobs of one schedule are due."""
        self._forget_old(moment.now)
        under_way = bool(self._fired)
        self._fired.append(
            self._mind.timetable.due(event.key, moment.now - self._window, self._until(moment))
        )
        # the next timer last: what is due now does not wait for it
        begun = [] if under_way else self.fire_on(FireOn(), moment)
        return begun + self._mind.timetable.next_timer(event.key)

    def fire_on(self, event: FireOn, moment: Moment) -> list[Action]:
        """One more piece of what is due."""
        actions: list[Action] = []
        left = self._mind.settings.fire_piece
        while self._fired and left:
            found = next(self._fired[0], None)
            if found is None:
                self._fired.popleft()
                continue
            fire_time, name = found
            actions += self._fire(name, fire_time, moment)
            left -= 1
        return [*actions, Wake(moment.mono, event)] if self._fired else actions

    def look_back(self, moment: Moment) -> list[Action]:
        """Begin to look at every fire inside the window; an older look-back that is still under way is
        replaced."""
        since, until = moment.now - self._window, self._until(moment)
        self._looking = chain(self._mind.timetable.firing(since, until), self._superseded(since, until))
        return self.look_on(LookOn(), moment)

    def rearm(self, moment: Moment) -> list[Action]:
        """The wall clock was stepped: timers go on from where a look-back ends."""
        return self._mind.timetable.rearm(self._until(moment))

    def _until(self, moment: Moment) -> datetime:
        """Fires up to this instant are looked at now; those that come later have timers."""
        return moment.now + self._lead

    def _superseded(self, since: datetime, until: datetime) -> Iterator[tuple[str, datetime]]:
        """The fires of versions that ended inside the window."""
        for name, version in self._mind.catalog.ended_after(since):
            for fire_time in self._fires_of(version, since, until):
                yield name, fire_time

    def look_on(self, event: LookOn, moment: Moment) -> list[Action]:
        """One more piece of the look-back."""
        actions: list[Action] = []
        if self._looking is None:
            return actions
        for _ in range(self._mind.settings.look_back_piece):
            found = next(self._looking, None)
            if found is None:
                self._looking = None
                return actions
            actions += self._fire(*found, moment)
        return [*actions, Wake(moment.mono, event)]

    def create_due(self, event: CreateDue, moment: Moment) -> list[Action]:
        """It is time to ask for a run (again)."""
        if not self._mind.creates:
            self._unask(event.request)
            return []
        return self._creations.put(event.request, moment)

    def create_on(self, event: CreateOn, moment: Moment) -> list[Action]:
        """Go on with what there was no room for; where this node creates no more, a look-back finds it."""
        if not self._mind.creates:
            for request in self._creations.drop():
                self._unask(request)
        return self._creations.due(moment)

    def room_came(self) -> list[Action]:
        """There may be room for what waits to be created."""
        return self._creations.go_on()

    def specs_due(self, event: SpecsDue, moment: Moment) -> list[Action]:
        """The store may know more of these jobs by now."""
        return [ReadSpecs(event.jobs)]

    def answered(self, event: RunsAnswered, moment: Moment) -> list[Action]:
        """Start what was claimed; go on as each answer says."""
        self._mind.holdings.release(sum(len(request.claim_items) for request in event.requests))
        claimed = [one for answer in event.answers for one in answer.claimed]
        actions = self._launching.take(claimed, moment)
        for request, answer in zip(event.requests, event.answers, strict=True):
            actions += self._go_on(request, answer, moment)
        waiting = self._mind.holdings.next_waiting() if self._mind.creates else ()
        if waiting:
            actions.append(Claim(self._mind.incarnation, waiting))
        return actions + self._creations.go_on()

    def unanswered(self, event: RunsUnanswered, moment: Moment) -> list[Action]:
        """The store was away: the look-back that follows its return asks again."""
        for request in event.requests:
            self._mind.holdings.release(len(request.claim_items))
            self._unask(request)
        return []

    def forget(self) -> None:
        """Ask for everything inside the window again (another incarnation, or the store was away)."""
        self._asked.clear()
        self._asked_in_order.clear()
        self._reloads.clear()
        self._creations.drop()

    def _take_up(self, name: str, history: JobHistory, moment: Moment) -> list[Action]:
        return [*self._learn(name, history, moment), *self._look_at(name, moment)]

    def _learn(self, name: str, history: JobHistory, moment: Moment) -> list[Action]:
        self._mind.catalog.learn_job(name, history)
        return self._mind.timetable.place(name, history, self._until(moment))

    def _look_at(self, name: str, moment: Moment) -> list[Action]:
        history = self._mind.catalog.job(name)
        actions: list[Action] = []
        for version in history.versions if history else ():
            for fire_time in self._fires_of(version, moment.now - self._window, self._until(moment)):
                actions += self._fire(name, fire_time, moment)
        return actions

    def _fires_of(self, version: JobVersion, since: datetime, until: datetime) -> list[datetime]:
        """The version's own fires after ``since`` and up to ``until``, inside its interval."""
        fires = fires_of(version.spec)
        after = max(since, version.in_force_from - MICROSECOND)
        if version.in_force_until is not None:
            until = min(until, version.in_force_until - MICROSECOND)
        return (
            fires.between(after, until, self._mind.settings.look_back_piece)
            if fires and after < until
            else []
        )

    def _fire(self, name: str, fire_time: datetime, moment: Moment) -> list[Action]:
        mind = self._mind
        changed = self._changed.pop(name, None)
        if changed is not None:
            # by its new versions this may be no fire at all; all that are fires are looked at
            return self._take_up(name, changed, moment)
        version = self._due(name, fire_time)
        if version is None or not mind.creates:
            return []
        impl = mind.catalog.impl_at(version.spec.impl_spec, fire_time)
        if impl is None:
            return []
        owned = mind.membership.mine(version.spec)
        creator = mind.membership.is_creator(version.spec, owned)
        mine = owned if (version.version, impl.version) not in mind.declined else ()
        if not (mine or creator) or not self._newly(name, fire_time, mine):
            return []
        nodes = mind.membership.nodes_of(version.spec)
        total = version.spec.sharding_total_count if nodes is None else len(nodes)
        if total == 0:
            return []
        request = CreateRun(name, fire_time, version.version, impl.version, total, mine, creator, nodes)
        if creator:
            return self._creations.put(request, moment)
        ahead_s = max(0.0, (fire_time - moment.now).total_seconds())
        return [Wake(moment.mono + ahead_s + mind.settings.claim_after_s, CreateDue(request))]

    def _due(self, name: str, fire_time: datetime) -> JobVersion | None:
        """The version this fire belongs to, where it is a fire of that version and nothing holds it."""
        history = self._mind.catalog.job(name)
        version = history.at(fire_time) if history else None
        if history is None or version is None or not version.spec.enabled or history.paused_at(fire_time):
            return None
        if version is history.last:  # the timetable has given out only instants of its schedule
            return version if is_within(version.spec, fire_time) else None
        fires = fires_of(version.spec)
        return version if fires and fires.between(fire_time - MICROSECOND, fire_time, 1) else None

    def _newly(self, name: str, fire_time: datetime, mine: tuple[int, ...]) -> bool:
        """Note that these items are asked for; False when all of them were."""
        key = (name, fire_time)
        before = self._asked.get(key)
        if before is not None and before.issuperset(mine):
            return False
        if before is None:
            self._asked_in_order.append(key)
        self._asked[key] = frozenset(mine)
        return True

    def _go_on(self, request: CreateRun, answer: CreateAnswer, moment: Moment) -> list[Action]:
        match answer.outcome:
            case Creation.CREATED | Creation.EXISTS:
                return self._made(request, answer)
            case Creation.ABSENT:
                wait_s = self._mind.settings.create_after_s - self._mind.settings.claim_after_s
                return [Wake(moment.mono + wait_s, CreateDue(self._whole(request, create=True)))]
            case Creation.EARLY:
                return [
                    Wake(
                        self._again_at(request, answer, moment),
                        CreateDue(self._whole(request, request.create)),
                    )
                ]
            case Creation.NOT_IN_FORCE:
                return self._reload(request, moment)
            case Creation.OLD | Creation.REFUSED:
                return [Tell(FireLeft(request.job_name, request.fire_time, answer.reason or answer.outcome))]
            case Creation.DEAD:
                self._unask(request)
        return []

    def _again_at(self, request: CreateRun, answer: CreateAnswer, moment: Moment) -> float:
        """Of what the store found early: when to ask again by its clock, as much ahead as others are asked for; what is
        nearer than that, and was not waited for, when it is due."""
        wait_s = (request.fire_time - answer.now).total_seconds()
        lead_s = self._mind.settings.lead_s
        return moment.mono + max(SHORTEST_WAIT_S, wait_s - lead_s if wait_s > lead_s else wait_s)

    def _made(self, request: CreateRun, answer: CreateAnswer) -> list[Action]:
        key = (request.job_name, request.fire_time)
        self._reloads.pop(key, None)
        assert answer.run_id is not None, "a run that exists has an id"
        left_out = self._asked.get(key, frozenset()).difference(self._settled(request, answer))
        self._mind.holdings.wait(
            AttemptKey(answer.run_id, request.fire_time, item, 1) for item in sorted(left_out)
        )
        if answer.outcome is Creation.EXISTS:
            return []
        late_s = (answer.now - request.fire_time).total_seconds()
        return [Tell(RunCreated(request.job_name, answer.run_id, request.fire_time, late_s))]

    def _settled(self, request: CreateRun, answer: CreateAnswer) -> frozenset[int]:
        """The items for which there is nothing more to ask: creations claim nothing of jobs with limits shared by
        nodes, so of these all but what the answer holds is claimed afterwards."""
        job = self._mind.catalog.job_version(request.job_version)
        if job is None or not job.spec.limited:
            return frozenset(request.claim_items)
        return frozenset(one.key.item for one in answer.claimed)

    def _reload(self, request: CreateRun, moment: Moment) -> list[Action]:
        key = (request.job_name, request.fire_time)
        tries = self._reloads.get(key, 0)
        self._reloads[key] = tries + 1
        if tries >= len(RELOAD_AFTER_S):
            return [Tell(FireLeft(request.job_name, request.fire_time, "another version is in force"))]
        self._unask(request)
        return [Wake(moment.mono + RELOAD_AFTER_S[tries], SpecsDue((request.job_name,)))]

    def _whole(self, request: CreateRun, create: bool) -> CreateRun:
        """The request with all items that this node wants of the fire, whatever there was room for."""
        wanted = self._asked.get((request.job_name, request.fire_time), frozenset(request.claim_items))
        return replace(request, claim_items=tuple(sorted(wanted)), create=create)

    def _unask(self, request: CreateRun) -> None:
        self._asked.pop((request.job_name, request.fire_time), None)

    def _forget_old(self, now: datetime) -> None:
        horizon = now - 2 * self._window
        while self._asked_in_order and self._asked_in_order[0][1] < horizon:
            key = self._asked_in_order.popleft()
            self._asked.pop(key, None)
            self._reloads.pop(key, None)
