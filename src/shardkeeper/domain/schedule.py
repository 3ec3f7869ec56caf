"""When a job is due, as a pure function of its spec.

A Schedule is a small hashable value: jobs with an equal one share one timer. `Fires` is a job's own part of
it, between its `starts_at` and `ends_at`. Everything takes and gives aware instants, in UTC.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from shardkeeper.domain.cron import parse_cron
from shardkeeper.domain.cron_times import CronTimes
from shardkeeper.domain.specs import JobSpec, Strategy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
FIRST_INSTANT = datetime.min.replace(tzinfo=UTC)


class Schedule(ABC):
    """The instants at which jobs fire: strictly increasing and the same on every node."""

    __slots__ = ()

    @abstractmethod
    def next_after(self, instant: datetime) -> datetime | None:
        """The first fire strictly after `instant`, or None when there is none."""

    @abstractmethod
    def latest_until(self, instant: datetime) -> datetime | None:
        """The last fire at or before `instant`, or None when there is none."""

    @abstractmethod
    def count_between(self, start: datetime, end: datetime) -> int:
        """How many fires lie after `start` and at or before `end`, without going through them."""

    @abstractmethod
    def shortest_gap(self) -> timedelta | None:
        """A lower bound of the time between two fires; None for a schedule of one fire."""

    def between(self, start: datetime, end: datetime, limit: int) -> list[datetime]:
        """The first `limit` fires after `start` and at or before `end`, ascending."""
        fires: list[datetime] = []
        fire = self.next_after(start)
        while fire is not None and fire <= end and len(fires) < limit:
            fires.append(fire)
            fire = self.next_after(fire)
        return fires

    def last_between(self, start: datetime, end: datetime, limit: int) -> list[datetime]:
        """The last `limit` fires after `start` and at or before `end`, ascending."""
        fires: list[datetime] = []
        fire = self.latest_until(end)
        while fire is not None and fire > start and len(fires) < limit:
            fires.append(fire)
            fire = _latest_before(self, fire)
        return fires[::-1]


def _latest_before(schedule: Schedule, fire: datetime) -> datetime | None:
    return None if fire == FIRST_INSTANT else schedule.latest_until(fire - MICROSECOND)


@dataclass(frozen=True, slots=True)
class CronSchedule(Schedule):
    """By a cron expression, already read; `H` is resolved, so equal ones are equal for any jobs."""

    times: CronTimes

    def next_after(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        return self.times.next_after(instant)

    def latest_until(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        return self.times.latest_until(instant)

    def count_between(self, start: datetime, end: datetime) -> int:
        """See Schedule; takes time in proportion to the months between, whatever the number of fires."""
        return self.times.count_between(start, end)

    def shortest_gap(self) -> timedelta | None:
        """See Schedule."""
        return timedelta(seconds=self.times.shortest_gap_s())


@dataclass(frozen=True, slots=True)
class EverySchedule(Schedule):
    """At each whole multiple of `period` (positive) since 1970-01-01T00:00:00Z."""

    period: timedelta

    def __post_init__(self) -> None:
        if self.period <= timedelta(0):
            raise ValueError("the period of a schedule is positive")

    def next_after(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        return self._fire((instant - EPOCH) // self.period + 1)

    def latest_until(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        return self._fire((instant - EPOCH) // self.period)

    def count_between(self, start: datetime, end: datetime) -> int:
        """See Schedule."""
        return max(0, (end - EPOCH) // self.period - (start - EPOCH) // self.period)

    def shortest_gap(self) -> timedelta | None:
        """See Schedule."""
        return self.period

    def _fire(self, number: int) -> datetime | None:
        try:
            return EPOCH + number * self.period
        except OverflowError:
            return None


@dataclass(frozen=True, slots=True)
class OnceSchedule(Schedule):
    """Once, at `at`."""

    at: datetime

    def next_after(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        return self.at if instant < self.at else None

    def latest_until(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        return self.at if self.at <= instant else None

    def count_between(self, start: datetime, end: datetime) -> int:
        """See Schedule."""
        return int(start < self.at <= end)

    def shortest_gap(self) -> timedelta | None:
        """See Schedule."""
        return None


@dataclass(frozen=True, slots=True)
class Fires(Schedule):
    """A schedule within `starts_at` and `ends_at`, where set; a fire exactly at either of them is due."""

    schedule: Schedule
    starts_at: datetime | None = None
    ends_at: datetime | None = None

    def next_after(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        floor = self._floor()
        fire = self.schedule.next_after(instant if floor is None else max(instant, floor))
        return fire if fire is not None and self._allows(fire) else None

    def latest_until(self, instant: datetime) -> datetime | None:
        """See Schedule."""
        fire = self.schedule.latest_until(instant if self.ends_at is None else min(instant, self.ends_at))
        return fire if fire is not None and self._allows(fire) else None

    def count_between(self, start: datetime, end: datetime) -> int:
        """See Schedule."""
        floor = self._floor()
        start = start if floor is None else max(start, floor)
        end = end if self.ends_at is None else min(end, self.ends_at)
        return self.schedule.count_between(start, end)

    def shortest_gap(self) -> timedelta | None:
        """See Schedule."""
        return self.schedule.shortest_gap()

    def _floor(self) -> datetime | None:
        """The last instant that is too early."""
        return None if self.starts_at is None else self.starts_at - MICROSECOND

    def _allows(self, fire: datetime) -> bool:
        """Whether a fire lies within the bounds."""
        late_enough = self.starts_at is None or self.starts_at <= fire
        return late_enough and (self.ends_at is None or fire <= self.ends_at)


def schedule_of(spec: JobSpec) -> Schedule | None:
    """The schedule that `spec` shares with others like it; None for a job on demand.

    Takes no notice of starts_at, ends_at, enabled and pauses. Raises CronInvalid for a wrong cron expression.
    """
    if spec.cron is not None:
        return CronSchedule(parse_cron(spec.cron, spec.name))
    if spec.every is not None:
        return EverySchedule(spec.every)
    return None if spec.run_at is None else OnceSchedule(spec.run_at)


def fires_of(spec: JobSpec) -> Fires | None:
    """The fires of `spec` within its starts_at and ends_at; None for a job on demand. Raises CronInvalid."""
    schedule = schedule_of(spec)
    return None if schedule is None else Fires(schedule, spec.starts_at, spec.ends_at)


def is_within(spec: JobSpec, instant: datetime) -> bool:
    """Whether `instant` lies within the spec's starts_at and ends_at (both inclusive), where set."""
    late_enough = spec.starts_at is None or spec.starts_at <= instant
    return late_enough and (spec.ends_at is None or instant <= spec.ends_at)


def items_per_second(spec: JobSpec) -> Fraction:
    """The items that `spec` has due per second when it fires most densely; 0 where it fires at most once.

    An `each_node` job counts as one item. Raises CronInvalid.
    """
    schedule = schedule_of(spec)
    gap = None if schedule is None else schedule.shortest_gap()
    if gap is None:
        return Fraction(0)
    items = 1 if spec.sharding_strategy is Strategy.EACH_NODE else spec.sharding_total_count
    return Fraction(items * 1_000_000, gap // MICROSECOND)
