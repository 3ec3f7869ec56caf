"""Durations as people and PostgreSQL write them.

Read: `30 s`, `1 hour 30 min`, `1.5 h`, PostgreSQL's `1 day 02:03:04.5`, ISO 8601's `PT5M`. Written: `1 hour
30 min`, which PostgreSQL reads as an interval too. Microseconds are exact; months and years have no fixed
length and are refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from functools import lru_cache

from shardkeeper.domain.errors import ValueInvalid

MAX_TEXT = 100
MEND = 'write for example "30 s", "5 min", "1 hour" or "1 day"'


class DurationInvalid(ValueInvalid):
    """The duration is not valid."""


_SECOND = 1_000_000
_UNITS_US = {
    "us": 1,
    "ms": 1000,
    "s": _SECOND,
    "min": 60 * _SECOND,
    "hour": 3600 * _SECOND,
    "day": 86_400 * _SECOND,
    "week": 7 * 86_400 * _SECOND,
}
_ALIASES = {
    "us": "us µs μs microsecond microseconds",
    "ms": "ms msec msecs millisecond milliseconds",
    "s": "s sec secs second seconds",
    "min": "m min mins minute minutes",
    "hour": "h hr hrs hour hours",
    "day": "d day days",
    "week": "w week weeks",
}
_UNIT_OF = {alias: unit for unit, aliases in _ALIASES.items() for alias in aliases.split()}
_NO_FIXED_LENGTH = frozenset(["mon", "mons", "month", "months", "y", "yr", "yrs", "year", "years"])

_CLOCK = r"(?P<sign>[+-])?(?P<h>[0-9]{1,9}):(?P<m>[0-9]{2}):(?P<s>[0-9]{2}(?:\.[0-9]{1,6})?)(?![0-9:.])"
_TOKEN = re.compile(rf" *(?:{_CLOCK}|(?P<number>[+-]?[0-9]{{1,18}}(?:\.[0-9]{{1,9}})?) *(?P<unit>[a-zµμ]+))")
_NUMBER = r"([0-9]{1,18}(?:[.,][0-9]{1,9})?)"
_ISO = re.compile(
    rf"p(?:{_NUMBER}y)?(?:{_NUMBER}m)?(?:{_NUMBER}w)?(?:{_NUMBER}d)?"
    rf"(?:t(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?)?"
)
_ISO_UNITS = ("year", "month", "week", "day", "hour", "min", "s")


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> timedelta:
    """The duration that `text` means; may be zero or negative. Raises DurationInvalid with reason and mend."""
    lowered = text.strip().lower()
    if not lowered or len(lowered) > MAX_TEXT:
        raise DurationInvalid("is empty" if not lowered else f"is longer than {MAX_TEXT} characters", MEND)
    parts = _iso_parts(lowered) if lowered.startswith("p") else _parts(lowered)
    total = sum((number * _length_us(unit) for number, unit in parts), Fraction(0))
    if total.denominator != 1:
        raise DurationInvalid("is finer than a microsecond", "round it to whole microseconds")
    try:
        return timedelta(microseconds=int(total))
    except OverflowError as error:
        raise DurationInvalid("is longer than dates reach", MEND) from error


def format_duration(duration: timedelta) -> str:
    """The duration in the shortest text that `parse_duration` and PostgreSQL read back exactly."""
    total = duration // timedelta(microseconds=1)
    sign, total = ("-", -total) if total < 0 else ("", total)
    words = []
    for unit, plural in (("day", "days"), ("hour", "hours"), ("min", "min")):
        count, total = divmod(total, _UNITS_US[unit])
        if count:
            words.append(f"{sign}{count} {unit if count == 1 else plural}")
    whole, micros = divmod(total, _SECOND)
    if total or not words:
        fraction = f".{micros:06}".rstrip("0") if micros else ""
        words.append(f"{sign}{whole}{fraction} s")
    return " ".join(words)


def _length_us(unit: str) -> int:
    if unit in _NO_FIXED_LENGTH:
        raise DurationInvalid(
            "uses months or years, which have no fixed length", "write it in days, or use cron"
        )
    if unit not in _UNIT_OF:
        raise DurationInvalid(f"uses an unknown unit `{unit}`", MEND)
    return _UNITS_US[_UNIT_OF[unit]]


def _iso_parts(text: str) -> list[tuple[Fraction, str]]:
    match = _ISO.fullmatch(text)
    if match is None or text.endswith(("p", "t")):
        raise DurationInvalid("is not an ISO 8601 duration", MEND)
    found = zip(match.groups(), _ISO_UNITS, strict=True)
    return [(Fraction(number.replace(",", ".")), unit) for number, unit in found if number is not None]


def _parts(text: str) -> list[tuple[Fraction, str]]:
    parts: list[tuple[Fraction, str]] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise DurationInvalid("is not a duration", MEND)
        if match["unit"]:
            parts.append((Fraction(match["number"]), match["unit"]))
        else:
            parts += _clock_parts(match)
        position = match.end()
    return parts


def _clock_parts(match: re.Match[str]) -> list[tuple[Fraction, str]]:
    sign = -1 if match["sign"] == "-" else 1
    return [
        (sign * Fraction(match[group]), unit) for group, unit in (("h", "hour"), ("m", "min"), ("s", "s"))
    ]
