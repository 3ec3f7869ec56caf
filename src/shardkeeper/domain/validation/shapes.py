"""Checks of shape that several fields share. Each gives (reason, mend), or None when nothing is wrong."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from shardkeeper.domain.durations import format_duration
from shardkeeper.domain.validation.limits import (
    FIRST_INSTANT,
    LAST_INSTANT,
    MAX_DEPTH,
    MAX_LABELS,
    MAX_SHORT_TEXT,
    Limits,
)

Wrong: TypeAlias = tuple[str, str] | None
Check: TypeAlias = Callable[[Any, Limits], Wrong]
"""Judges the value of one field."""

NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
LABEL_KEY = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,98}[A-Za-z0-9])?")
# controls, C1, lone surrogates, line separators, and what turns the direction of text around
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\u2028-\u202e\u2066-\u2069]")


def wrong_name(name: str) -> Wrong:
    """Names of jobs and ImplSpecs."""
    if NAME.fullmatch(name):
        return None
    return (
        "is not a name",
        "use a-z, 0-9, dot, underscore and hyphen; begin with a letter or digit; at most 100",
    )


def wrong_text(text: str | None, longest: int, *, lines: bool = False) -> Wrong:
    """Free text: bounded, without control characters; line breaks and tabs only where `lines`."""
    if text is None:
        return None
    if len(text) > longest:
        return (f"is longer than {longest} characters", "shorten it")
    if _UNSAFE.search(text.replace("\n", "").replace("\t", "") if lines else text):
        return ("holds control characters", "remove them")
    return None


def wrong_number(number: float, low: float, high: float) -> Wrong:
    """A finite number from `low` to `high`."""
    if math.isfinite(number) and low <= number <= high:
        return None
    return (f"is not from {low:g} to {high:g}", f"write a number from {low:g} to {high:g}")


def wrong_duration(duration: timedelta | None, longest: timedelta, *, zero: bool = False) -> Wrong:
    """A duration that is positive (or zero, where `zero`) and not longer than `longest`."""
    if duration is None:
        return None
    if duration < timedelta(0) or (not zero and duration == timedelta(0)):
        return ("is negative" if duration else "is zero", "write a longer time")
    if duration > longest:
        return (f"is longer than {format_duration(longest)}", "write a shorter time")
    return None


def wrong_instant(instant: datetime | None) -> Wrong:
    """An aware instant that PostgreSQL and Python can both compute with."""
    if instant is None:
        return None
    if instant.utcoffset() is None:
        return ("has no offset from UTC", "add Z")
    if not FIRST_INSTANT <= instant < LAST_INSTANT:
        return ("is not in the years 1970 to 9999", "write an instant that comes, or leave it out")
    return None


def wrong_labels(labels: Mapping[str, str]) -> Wrong:
    """Labels and selectors: a bounded mapping of short text to short text."""
    if len(labels) > MAX_LABELS:
        return (f"has more than {MAX_LABELS} entries", "keep fewer")
    for key, text in labels.items():
        if not LABEL_KEY.fullmatch(key):
            return (f"has a key that is no label: {key!r:.60}", "use letters, digits and . _ / - in between")
        if wrong_text(text, MAX_SHORT_TEXT):
            return (f"has a value that is no label text: {key}: {text!r:.60}", "write short plain text")
    return None


def wrong_json(value: Any, max_bytes: int) -> Wrong:
    """A JSON value that PostgreSQL can store: finite, bounded, not too deep, without NUL characters."""
    wrong = _wrong_part(value, MAX_DEPTH)
    if wrong is not None or not value:
        return wrong
    if len(json.dumps(value, ensure_ascii=False).encode()) > max_bytes:
        return (
            f"is more than {max_bytes} bytes as JSON",
            "keep large inputs elsewhere and pass their location",
        )
    return None


def _wrong_part(value: Any, depth: int) -> Wrong:
    if depth == 0:
        return (f"is nested deeper than {MAX_DEPTH}", "flatten it")
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, str):
        return _wrong_json_text(value)
    if isinstance(value, int | float):
        return _wrong_json_number(value)
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
        if not all(isinstance(key, str) for key in value):
            return ("has a key that is not text", "write keys in quotes")
    elif isinstance(value, list | tuple):
        parts = [*value]
    else:
        return (
            f"holds a {type(value).__name__}, which JSON does not have",
            "write text, numbers, lists or objects",
        )
    return next((wrong for part in parts if (wrong := _wrong_part(part, depth - 1))), None)


def _wrong_json_text(text: str) -> Wrong:
    if re.search("[\x00\ud800-\udfff]", text):
        return (
            "holds a character that PostgreSQL cannot store (\\u0000 or half a surrogate pair)",
            "remove it",
        )
    return None


def _wrong_json_number(number: float) -> Wrong:
    if isinstance(number, int) and number.bit_length() > 1000:
        return ("holds a number of more than 300 digits", "write it as text")
    if not math.isfinite(number):
        return ("holds a number that is not finite", "write a finite number, or null")
    return None


_URL = re.compile(
    r"https?://([^\s/?#@\\]+@)?(\[[0-9a-fA-F:.]+\]|[^\s/?#@:\\\[\]]+)(:(?P<port>[0-9]{1,5}))?([/?#]\S*)?"
)


def wrong_url(url: object, longest: int) -> Wrong:
    """An http or https URL with a host."""
    match = _URL.fullmatch(url) if isinstance(url, str) and not wrong_text(url, longest) else None
    if match is None or (match["port"] and not 0 < int(match["port"]) < 65_536):
        return ("is not an http or https URL", "write for example https://host/path")
    return None
