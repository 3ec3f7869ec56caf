"""The instants of a cron expression, computed from its fields by calendar arithmetic, in UTC.

Nothing here searches second by second or asks a clock. A day either matches or does not, and every matching
day has the same times; so the next and the latest fire are a few bisections away, and fires are counted by
counting days. Seconds are the finest grain.
"""

from __future__ import annotations

import calendar
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import MAXYEAR, MINYEAR, UTC, date, datetime, time, timedelta
from functools import lru_cache
from itertools import pairwise

SATURDAY, SUNDAY = 6, 0
DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Dates:
    """Days of a month by date: plain ones, `L` less so many days (0 = L), nearest weekdays (15W; 0 = LW)."""

    plain: tuple[int, ...] = ()
    before_last: tuple[int, ...] = ()
    nearest_weekdays: tuple[int, ...] = ()

    def mask(self, first_weekday: int, length: int) -> int:
        """The matching days, as bits 1..length."""
        days = {day for day in self.plain if day <= length}
        days.update(length - back for back in self.before_last if back < length)
        for day in self.nearest_weekdays:
            if day <= length:
                days.add(_nearest_weekday(day or length, first_weekday, length))
        return _bits(days)


@dataclass(frozen=True, slots=True)
class Weekdays:
    """Days of a month by weekday (0 = Sunday): each one, the n-th one (fri#2), or the last one (5L)."""

    plain: tuple[int, ...] = ()
    nth: tuple[tuple[int, int], ...] = ()
    last: tuple[int, ...] = ()

    def mask(self, first_weekday: int, length: int) -> int:
        """The matching days, as bits 1..length."""
        days: set[int] = set()
        for weekday in self.plain:
            days.update(range(_first(weekday, first_weekday), length + 1, 7))
        for weekday, n in self.nth:
            days.add(_first(weekday, first_weekday) + 7 * (n - 1))
        for weekday in self.last:
            days.add(max(range(_first(weekday, first_weekday), length + 1, 7)))
        return _bits(day for day in days if day <= length)


@dataclass(frozen=True, slots=True)
class Days:
    """Which days of a month match: by date or by weekday, either where both are given, as cron does."""

    dates: Dates | None = None
    weekdays: Weekdays | None = None


@lru_cache(maxsize=8192)
def _month_mask(days: Days, first_weekday: int, length: int) -> int:
    if days.dates is None and days.weekdays is None:
        return (1 << (length + 1)) - 2
    mask = days.dates.mask(first_weekday, length) if days.dates else 0
    return mask | (days.weekdays.mask(first_weekday, length) if days.weekdays else 0)


@dataclass(frozen=True, slots=True)
class CronTimes:
    """The fields of a cron expression, as ascending tuples of numbers."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    months: tuple[int, ...]
    days: Days

    def next_after(self, instant: datetime) -> datetime | None:
        """The first fire strictly after `instant` (aware); None when there is none before the year 10000."""
        instant = instant.astimezone(UTC)
        if self._matches(instant.date()):
            later = self._time_after(instant.hour, instant.minute, instant.second)
            if later is not None:
                return datetime.combine(instant.date(), later, UTC)
        if instant.date() == date.max:
            return None
        day = self._day_at_or_after(instant.date() + timedelta(days=1))
        return datetime.combine(day, self._first_time(), UTC) if day else None

    def latest_until(self, instant: datetime) -> datetime | None:
        """The last fire at or before `instant` (aware); None when there is none from the year 1 on."""
        instant = instant.astimezone(UTC)
        if self._matches(instant.date()):
            earlier = self._time_until(instant.hour, instant.minute, instant.second)
            if earlier is not None:
                return datetime.combine(instant.date(), earlier, UTC)
        if instant.date() == date.min:
            return None
        day = self._day_at_or_before(instant.date() - timedelta(days=1))
        return datetime.combine(day, self._last_time(), UTC) if day else None

    def count_between(self, start: datetime, end: datetime) -> int:
        """How many fires lie after `start` and at or before `end`; counts days, not fires."""
        if end <= start:
            return 0
        start, end = start.astimezone(UTC), end.astimezone(UTC)
        days = self._count_days(start.date(), end.date())
        per_day = len(self.hours) * len(self.minutes) * len(self.seconds)
        return days * per_day - self._count_until(start) + self._count_until(end)

    def shortest_gap_s(self) -> int:
        """A lower bound of the seconds between two fires: exact but for days, which may lie further apart."""
        last, first = self._last_time(), self._first_time()
        gaps = [DAY_S + _second_of_day(first) - _second_of_day(last)]
        gaps += [b - a for a, b in pairwise(self.seconds)]
        minute_wrap = self.seconds[0] - self.seconds[-1]
        gaps += [60 * (b - a) + minute_wrap for a, b in pairwise(self.minutes)]
        hour_wrap = 60 * (self.minutes[0] - self.minutes[-1]) + minute_wrap
        gaps += [3600 * (b - a) + hour_wrap for a, b in pairwise(self.hours)]
        return min(gaps)

    def ever_comes(self) -> bool:
        """Whether any day can ever match: every kind of every month is looked at, no search through years."""
        return any(
            _month_mask(self.days, first_weekday, length)
            for month in self.months
            for length in ((28, 29) if month == 2 else (calendar.monthrange(2001, month)[1],))
            for first_weekday in range(7)
        )

    def _matches(self, day: date) -> bool:
        return day.month in self.months and bool(self._mask(day.year, day.month) >> day.day & 1)

    def _mask(self, year: int, month: int) -> int:
        monday_based, length = calendar.monthrange(year, month)
        return _month_mask(self.days, (monday_based + 1) % 7, length)

    def _day_at_or_after(self, day: date) -> date | None:
        year, month, floor = day.year, day.month, day.day
        while year <= MAXYEAR:
            if month in self.months:
                mask = self._mask(year, month) >> floor << floor
                if mask:
                    return date(year, month, (mask & -mask).bit_length() - 1)
            year, month, floor = (year, month + 1, 1) if month < 12 else (year + 1, 1, 1)
        return None

    def _day_at_or_before(self, day: date) -> date | None:
        year, month, ceiling = day.year, day.month, day.day
        while year >= MINYEAR:
            if month in self.months:
                mask = self._mask(year, month) & ((2 << ceiling) - 1)
                if mask:
                    return date(year, month, mask.bit_length() - 1)
            year, month, ceiling = (year, month - 1, 31) if month > 1 else (year - 1, 12, 31)
        return None

    def _count_days(self, start: date, end: date) -> int:
        """Matching days from `start` on, before `end`."""
        total, year, month = 0, start.year, start.month
        while (year, month) <= (end.year, end.month):
            if month in self.months:
                mask = self._mask(year, month)
                if (year, month) == (end.year, end.month):
                    mask &= (1 << end.day) - 1
                if (year, month) == (start.year, start.month):
                    mask = mask >> start.day << start.day
                total += mask.bit_count()
            year, month = (year, month + 1) if month < 12 else (year + 1, 1)
        return total

    def _count_until(self, instant: datetime) -> int:
        """Fires of the instant's own day, at or before it."""
        if not self._matches(instant.date()):
            return 0
        per_minute, per_hour = len(self.seconds), len(self.seconds) * len(self.minutes)
        count = bisect_left(self.hours, instant.hour) * per_hour
        if instant.hour in self.hours:
            count += bisect_left(self.minutes, instant.minute) * per_minute
            if instant.minute in self.minutes:
                count += bisect_right(self.seconds, instant.second)
        return count

    def _first_time(self) -> time:
        return time(self.hours[0], self.minutes[0], self.seconds[0])

    def _last_time(self) -> time:
        return time(self.hours[-1], self.minutes[-1], self.seconds[-1])

    def _time_after(self, hour: int, minute: int, second: int) -> time | None:
        if hour in self.hours:
            if minute in self.minutes:
                later = _above(self.seconds, second)
                if later is not None:
                    return time(hour, minute, later)
            later = _above(self.minutes, minute)
            if later is not None:
                return time(hour, later, self.seconds[0])
        later = _above(self.hours, hour)
        return None if later is None else time(later, self.minutes[0], self.seconds[0])

    def _time_until(self, hour: int, minute: int, second: int) -> time | None:
        if hour in self.hours:
            if minute in self.minutes:
                earlier = _below(self.seconds, second + 1)
                if earlier is not None:
                    return time(hour, minute, earlier)
            earlier = _below(self.minutes, minute)
            if earlier is not None:
                return time(hour, earlier, self.seconds[-1])
        earlier = _below(self.hours, hour)
        return None if earlier is None else time(earlier, self.minutes[-1], self.seconds[-1])


def _above(values: tuple[int, ...], floor: int) -> int | None:
    index = bisect_right(values, floor)
    return values[index] if index < len(values) else None


def _below(values: tuple[int, ...], ceiling: int) -> int | None:
    index = bisect_left(values, ceiling)
    return values[index - 1] if index else None


def _first(weekday: int, first_weekday: int) -> int:
    """The first date with this weekday, in a month whose first day has `first_weekday`."""
    return 1 + (weekday - first_weekday) % 7


def _nearest_weekday(day: int, first_weekday: int, length: int) -> int:
    """The day from Monday to Friday nearest to `day`, never in another month."""
    weekday = (first_weekday + day - 1) % 7
    if weekday == SATURDAY:
        return day - 1 if day > 1 else day + 2
    if weekday == SUNDAY:
        return day + 1 if day < length else day - 2
    return day


def _second_of_day(at: time) -> int:
    return at.hour * 3600 + at.minute * 60 + at.second


def _bits(days: Iterable[int]) -> int:
    return sum(1 << day for day in set(days))
