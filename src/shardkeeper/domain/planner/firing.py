"""Which fires are looked at, and when: by timers, by look-back, and for versions just taken up (rules 3 and 8). What
comes of each is ``creating``'s.

A *look-back* goes over each fire inside the on-time window again: for items that this node has newly come to own, and
for everything after PostgreSQL was away. Like timers, it reaches as far beyond now as fires are asked for ahead.

Changes of many jobs at once are *taken up* in pieces, so that other jobs are not late for them; a job that is due
before its turn is taken up then.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import chain

from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.planner.actions import Action, Wake
from shardkeeper.domain.planner.creating import Creating
from shardkeeper.domain.planner.events import FireOn, LookOn, Moment, SpecsRead, TakeUpOn, TimerFired
from shardkeeper.domain.planner.mind import Mind
from shardkeeper.domain.schedule import MICROSECOND, fires_of, is_within
from shardkeeper.domain.specs import JobVersion


class Firing:
    """Knows what it has still to go through."""

    def __init__(self, mind: Mind, creating: Creating) -> None:
        self._mind = mind
        self._creating = creating
        self._window = timedelta(seconds=mind.settings.on_time_window_s)
        self._lead = timedelta(seconds=mind.settings.lead_s)
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
        self._creating.forget_old(moment.now)
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

    def forget(self) -> None:
        """Everything inside the window is asked for again by the next look-back."""
        self._creating.forget()

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
        return self._creating.ask(version, impl, fire_time, moment)

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
