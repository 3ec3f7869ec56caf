"""Jobs by schedule: one timer for all jobs that fire at the same instants."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from shardkeeper.domain.catalog import JobHistory
from shardkeeper.domain.planner.actions import Action, ArmTimer, DisarmTimer
from shardkeeper.domain.schedule import Schedule, schedule_of

FIRES_AT_ONCE = 10_000
"""Most instants of one schedule looked at together: the on-time window at the shortest interval allowed is
far below it."""


@dataclass(slots=True)
class _Entry:
    key: str
    schedule: Schedule
    handled: datetime
    """Instants up to here were given out, or lie before the schedule was taken up."""
    jobs: dict[str, None] = field(default_factory=dict)


class Timetable:
    """Knows, for each schedule in use, its jobs and the instant up to which its fires were given out.

    ``lead``: how long before a fire time its timer goes off. So the instants that it is given are as much ahead of now.
    """

    def __init__(self, lead: timedelta) -> None:
        self._lead = lead
        self._by_schedule: dict[Schedule, _Entry] = {}
        self._by_key: dict[str, _Entry] = {}
        self._of_job: dict[str, _Entry] = {}
        self._numbers = count(1)

    def __len__(self) -> int:
        return len(self._by_schedule)

    def place(self, name: str, history: JobHistory | None, handled: datetime) -> list[Action]:
        """Put the job under the schedule of its last version (none: take it out); its fires up to ``handled`` are
        looked at otherwise. Timers to arm or disarm."""
        version = history.last if history else None
        schedule = schedule_of(version.spec) if version and version.spec.enabled else None
        old = self._of_job.get(name)
        if old is not None and old.schedule == schedule:
            return []
        actions = self._take_out(name, old) if old else []
        if schedule is not None:
            actions += self._put_in(name, schedule, handled)
        return actions

    def due(self, key: str, since: datetime, until: datetime) -> Iterator[tuple[datetime, str]]:
        """The timer fired: (fire time, job) of every instant that was not given out, after ``since`` and up to
        ``until``, passing over jobs that leave the schedule while they are gone through."""
        entry = self._by_key.get(key)
        if entry is None:
            return iter(())
        fires = entry.schedule.between(max(entry.handled, since), until, FIRES_AT_ONCE)
        entry.handled = max(entry.handled, until)
        return _each(entry, fires)

    def next_timer(self, key: str) -> list[Action]:
        """The timer for what comes after what was given out; none for a schedule that is no longer in use."""
        entry = self._by_key.get(key)
        return self._arm(entry) if entry else []

    def rearm(self, handled: datetime) -> list[Action]:
        """The wall clock was stepped: go on after ``handled``, on every schedule."""
        actions: list[Action] = []
        for entry in self._by_key.values():
            entry.handled = handled
            actions += self._arm(entry)
        return actions

    def firing(self, since: datetime, until: datetime) -> Iterator[tuple[str, datetime]]:
        """Each job with each instant of its last version's schedule after ``since`` and up to ``until``.

        It may be gone through in pieces: a job that has left the schedule meanwhile is passed over.
        """
        for entry in tuple(self._by_key.values()):
            fires = tuple(entry.schedule.between(since, until, FIRES_AT_ONCE))
            for fire_time, name in _each(entry, fires):
                yield name, fire_time

    def _put_in(self, name: str, schedule: Schedule, handled: datetime) -> list[Action]:
        entry = self._by_schedule.get(schedule)
        actions: list[Action] = []
        if entry is None:
            entry = _Entry(f"schedule-{next(self._numbers)}", schedule, handled)
            self._by_schedule[schedule] = self._by_key[entry.key] = entry
            actions = self._arm(entry)
        entry.jobs[name] = None
        self._of_job[name] = entry
        return actions

    def _take_out(self, name: str, entry: _Entry) -> list[Action]:
        del entry.jobs[name], self._of_job[name]
        if entry.jobs:
            return []
        del self._by_schedule[entry.schedule], self._by_key[entry.key]
        return [DisarmTimer(entry.key)]

    def _arm(self, entry: _Entry) -> list[Action]:
        upcoming = entry.schedule.next_after(entry.handled)
        return [ArmTimer(entry.key, upcoming - self._lead)] if upcoming else [DisarmTimer(entry.key)]


def _each(entry: _Entry, fires: Iterable[datetime]) -> Iterator[tuple[datetime, str]]:
    """Each instant with each job; one that has left the schedule meanwhile has no fire there any more."""
    for fire_time in fires:
        for name in tuple(entry.jobs):
            if name in entry.jobs:
                yield fire_time, name
