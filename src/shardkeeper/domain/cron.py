"""Reading cron expressions.

Five fields, or six with seconds first (Spring's way); names in any case, ranges, steps, lists; `L`, `L-3`,
`LW`, `15W` in day of month; `fri#2`, `5L` in day of week; `@hourly` and its kin; `H` spreads by job name.

croniter reads more than that, and some of it in surprising ways (a range that wraps, `5-5` as the whole
cycle, `R`, seven fields). So each part is first held against our own grammar, which has a reason and a mend
for whatever it refuses, and rewritten in plain numbers; croniter expands the plain parts, and `cron_times`
computes with the outcome.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

from croniter import CroniterError, croniter

from shardkeeper.domain.cron_times import CronTimes, Dates, Days, Weekdays
from shardkeeper.domain.errors import ValueInvalid
from shardkeeper.domain.problems import shown

MAX_LENGTH = 200
MACROS = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAY_NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")


class CronInvalid(ValueInvalid):
    """The cron expression is not valid."""


@dataclass(frozen=True, slots=True)
class _FieldKind:
    """One of the six fields: its numbers from `low` to `high`, its names, and how far up H spreads."""

    title: str
    low: int
    high: int
    names: dict[str, int] = field(default_factory=dict)
    spread_high: int | None = None

    def refuse(self, part: str, reason: str, mend: str) -> CronInvalid:
        return CronInvalid(f"{self.title} field: `{shown(part)}` {reason}", mend)

    def number(self, text: str, part: str) -> int:
        """The number that `text` stands for: digits, or a name of this field."""
        if text in self.names:
            return self.names[text]
        if not re.fullmatch(r"[0-9]{1,4}", text):
            known = f" or a name such as {next(iter(self.names))}" if self.names else ""
            raise self.refuse(
                part, "is not understood", f"write a number from {self.low} to {self.high}{known}"
            )
        if not self.low <= int(text) <= self.high:
            raise self.refuse(part, "is out of range", f"write a number from {self.low} to {self.high}")
        return int(text)


SECOND = _FieldKind("second", 0, 59)
MINUTE = _FieldKind("minute", 0, 59)
HOUR = _FieldKind("hour", 0, 23)
DAY = _FieldKind("day-of-month", 1, 31, spread_high=28)
MONTH = _FieldKind("month", 1, 12, {name: n for n, name in enumerate(MONTH_NAMES, 1)})
WEEKDAY = _FieldKind("day-of-week", 0, 7, {name: n for n, name in enumerate(WEEKDAY_NAMES)}, spread_high=6)
KINDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)


def is_spread(expression: str) -> bool:
    """Whether it has an `H`, which is another time for each job."""
    return "h" in expression.lower()


def parse_cron(expression: str, job_name: str) -> CronTimes:
    """The fire times of `expression`; `job_name` is what `H` spreads by.

    Raises CronInvalid with reason and mend, for expressions that can never fire too. The same expression
    (after `H`) is read only once.
    """
    if not is_spread(expression):
        return _read_whole(expression)
    texts = _split(expression)
    return _read(" ".join(_resolve_h(kind, text, job_name) for kind, text in zip(KINDS, texts, strict=True)))


@lru_cache(maxsize=8192)
def _read_whole(expression: str) -> CronTimes:
    """Without `H`, an expression is the same for every job: of a hundred thousand most are read before."""
    return _read(" ".join(_split(expression)))


def _split(expression: str) -> list[str]:
    """The six fields in lower case, seconds first."""
    if len(expression) > MAX_LENGTH:
        raise CronInvalid(f"longer than {MAX_LENGTH} characters", "write a shorter one, or several jobs")
    if not expression.isascii() or not expression.replace("\t", " ").isprintable():
        raise CronInvalid(
            "holds characters that are not plain ASCII", "write digits, names and , - * / # only"
        )
    text = expression.strip().lower()
    if text.startswith("@"):
        if text not in MACROS:
            raise CronInvalid(f"`{shown(text)}` is not a known name", f"write one of {', '.join(MACROS)}")
        text = MACROS[text]
    texts = text.split()
    if len(texts) == 7:
        raise CronInvalid(
            "seven fields (a year is not supported)", "leave out the year; use starts_at and ends_at"
        )
    if len(texts) not in (5, 6):
        raise CronInvalid(
            f"{len(texts)} fields",
            "write five fields: minute hour day month weekday; or six with seconds first",
        )
    return texts if len(texts) == 6 else ["0", *texts]


_H = re.compile(r"h(?:\(([0-9]{1,2})-([0-9]{1,2})\))?(?:/([0-9]{1,4}))?")


def _resolve_h(kind: _FieldKind, text: str, job_name: str) -> str:
    """`text` with each `H`, `H(a-b)` and `H/n` replaced by numbers that are stable for this job and field."""
    return ",".join(_resolve_h_part(kind, part, job_name) for part in text.split(","))


def _resolve_h_part(kind: _FieldKind, part: str, job_name: str) -> str:
    match = _H.fullmatch(part)
    if match is None:
        return part
    low_text, high_text, step_text = match.groups()
    high = kind.spread_high or kind.high
    low, high = (kind.number(low_text, part), kind.number(high_text, part)) if low_text else (kind.low, high)
    if low > high:
        raise kind.refuse(part, "is a range that wraps", "write the smaller number first")
    digest = blake2b(f"{job_name}\0{kind.title}".encode(), digest_size=8).digest()
    spread = int.from_bytes(digest, "big")
    if step_text is None:
        return str(low + spread % (high - low + 1))
    step = _step(kind, step_text, part, high - low + 1)
    return f"{low + spread % step}-{high}/{step}"


def _step(kind: _FieldKind, text: str, part: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", text) or int(text) == 0:
        raise kind.refuse(part, "has a step that is not a positive number", "write a step such as /5")
    if int(text) > most:
        raise kind.refuse(
            part, f"has a step beyond the field's {most} values", "use `every` for longer intervals"
        )
    return int(text)


@lru_cache(maxsize=8192)
def _read(text: str) -> CronTimes:
    second, minute, hour, day, month, weekday = text.split()
    dates, plain_dates = _read_dates(day)
    weekdays, plain_weekdays = _read_weekdays(weekday)
    plain = [_plain_field(kind, t) for kind, t in ((SECOND, second), (MINUTE, minute), (HOUR, hour))]
    plain += [plain_dates, _plain_field(MONTH, month), plain_weekdays]
    seconds, minutes, hours, days, months, days_of_week = _expand(plain)
    if dates is not None:
        dates = Dates(days, dates.before_last, dates.nearest_weekdays)
    if weekdays is not None:
        weekdays = Weekdays(days_of_week, weekdays.nth, weekdays.last)
    times = CronTimes(seconds, minutes, hours, months, _days(dates, weekdays))
    if not times.ever_comes():
        raise CronInvalid("never fires: no such day ever comes", "correct day of month, month or day of week")
    return times


def _days(dates: Dates | None, weekdays: Weekdays | None) -> Days:
    """The rule in its one shortest form, so that equal schedules are equal."""
    every_date = dates is not None and len(dates.plain) == 31
    every_weekday = weekdays is not None and len(weekdays.plain) == 7
    return Days() if every_date or every_weekday else Days(dates, weekdays)


def _expand(plain: list[str]) -> list[tuple[int, ...]]:
    """The numbers of six plain fields (seconds first), as croniter expands them; none for an empty field."""
    expression = " ".join(text or "*" for text in plain)
    try:
        expanded, _ = croniter.expand(expression, second_at_beginning=True)
    except CroniterError as error:
        raise CronInvalid(
            f"cannot be read: {shown(str(error))}", "see the documentation of cron fields"
        ) from error
    in_our_order = [expanded[5], *expanded[:5]]
    return [
        _numbers(kind, values) if text else ()
        for kind, text, values in zip(KINDS, plain, in_our_order, strict=True)
    ]


def _numbers(kind: _FieldKind, values: Sequence[int | str]) -> tuple[int, ...]:
    if values == ["*"]:
        high = 6 if kind is WEEKDAY else kind.high
        return tuple(range(kind.low, high + 1))
    return tuple(sorted(int(value) for value in values))


def _plain_field(kind: _FieldKind, text: str) -> str:
    return "*" if text == "*" else ",".join(_plain(kind, part) for part in text.split(","))


_PART = re.compile(r"(?P<low>[a-z0-9]+|\*)(?:-(?P<high>[a-z0-9]+))?(?:/(?P<step>[a-z0-9]+))?")
_MISPLACED = re.compile(r"r(/.*)?|l|lw|[0-9]+[lw]|[a-z]{3}l|[a-z0-9]+-l")


def _plain(kind: _FieldKind, part: str) -> str:
    """One part in plain numbers, as croniter reads it without surprises: `7`, `1-5`, `0-59/5` or a list."""
    match = _PART.fullmatch(part)
    lone_star = match is not None and match["low"] == "*" and (match["high"] or not match["step"])
    if match is None or lone_star or (_MISPLACED.fullmatch(part) and part not in kind.names):
        raise _not_understood(kind, part)
    low, high = _bounds(kind, part, match)
    step = _step(kind, match["step"], part, kind.high - kind.low + 1) if match["step"] else 1
    if low > high:
        raise kind.refuse(part, "is a range that wraps", "write two ranges, for example 22-23,0-2")
    if kind is WEEKDAY and high == 7:
        return ",".join(str(n % 7) for n in range(low, high + 1, step))
    if low + step > high:
        return str(low)
    return f"{low}-{high}" if step == 1 else f"{low}-{high}/{step}"


def _bounds(kind: _FieldKind, part: str, match: re.Match[str]) -> tuple[int, int]:
    """First and last number of a part; `a/n` runs from a to the field's end, as Spring has it."""
    if match["low"] == "*":
        return kind.low, 6 if kind is WEEKDAY else kind.high
    low = kind.number(match["low"], part)
    if match["high"]:
        high = kind.number(match["high"], part)
        ends_on_sunday = kind is WEEKDAY and match["high"] == "sun" and low > 0
        return low, 7 if ends_on_sunday else high
    if not match["step"]:
        return low, low
    if kind is WEEKDAY:
        raise kind.refuse(part, "does not say on which day it ends", "write a range, for example mon-fri/2")
    return low, kind.high


def _not_understood(kind: _FieldKind, part: str) -> CronInvalid:
    if "?" in part:
        return kind.refuse(part, "uses `?`", "write `*`")
    if re.match(r"r(\(|/|$)", part):
        return kind.refuse(
            part, "is random, so nodes could not agree on it", "write `H`, which spreads by job name"
        )
    if part == "*":
        return kind.refuse(part, "within a list makes the list pointless", "write `*` alone")
    if _MISPLACED.fullmatch(part) or "#" in part:
        return kind.refuse(
            part,
            "does not belong here",
            "L and 15W go alone into day of month, 5L and fri#2 into day of week",
        )
    return kind.refuse(part, "is not understood", "write numbers, ranges a-b, steps */n and lists a,b")


def _read_dates(text: str) -> tuple[Dates | None, str]:
    """The special parts of the day-of-month field (None for `*`), and its plain parts in numbers."""
    if text == "*":
        return None, ""
    plain, before_last, nearest = [], set(), set()
    for part in text.split(","):
        if match := re.fullmatch(r"l(?:-([0-9]{1,2}))?", part):
            before_last.add(int(match[1] or 0))
        elif match := re.fullmatch(r"(l|[0-9]{1,2})w", part):
            nearest.add(0 if match[1] == "l" else DAY.number(match[1], part))
        else:
            plain.append(_plain(DAY, part))
    return Dates((), tuple(sorted(before_last)), tuple(sorted(nearest))), ",".join(plain)


def _read_weekdays(text: str) -> tuple[Weekdays | None, str]:
    """The special parts of the day-of-week field (None for `*`), and its plain parts in numbers."""
    if text == "*":
        return None, ""
    plain, nth, last = [], set(), set()
    for part in text.split(","):
        if part == "l":
            raise WEEKDAY.refuse(part, "does not say which weekday", "write 5L or friL for the last Friday")
        if match := re.fullmatch(r"([a-z]{3}|[0-9])l", part):
            last.add(WEEKDAY.number(match[1], part) % 7)
        elif match := re.fullmatch(r"([a-z]{3}|[0-9])#([0-9]+)", part):
            if not 1 <= int(match[2]) <= 5:
                raise WEEKDAY.refuse(part, "asks for a week that no month has", "write #1 to #5")
            nth.add((WEEKDAY.number(match[1], part) % 7, int(match[2])))
        else:
            plain.append(_plain(WEEKDAY, part))
    return Weekdays((), tuple(sorted(nth)), tuple(sorted(last))), ",".join(plain)
