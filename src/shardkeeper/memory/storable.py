"""What PostgreSQL cannot store, so that its twin refuses it too."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

MOST_DIGITS = 131_072
"""Digits before the point of a number in jsonb (PostgreSQL's numeric)."""
_TOO_LARGE = 10**MOST_DIGITS


def why_not_storable(value: Any) -> str | None:
    """The reason why this text or JSON value cannot be stored; None: it can."""
    kind = type(value)
    if value is None or kind is bool:
        return None
    if kind is str:
        return _text(value)
    if kind is int:
        return "a number is too large" if abs(value) >= _TOO_LARGE else None
    if kind is float:
        return None if math.isfinite(value) else "NaN and infinity are no JSON numbers"
    if isinstance(value, Mapping):
        return _first(value.keys()) or _first(value.values())
    if isinstance(value, (list, tuple, frozenset, set)) or hasattr(value, "__iter__"):
        return _first(value)
    return f"{kind.__name__} is no JSON type"


def _text(value: str) -> str | None:
    if "\x00" in value:
        return "text holds the character \\u0000"
    if not value.isascii() and any("\ud800" <= letter <= "\udfff" for letter in value):
        return "text holds half of a surrogate pair"
    return None


def _first(values: Any) -> str | None:
    for value in values:
        problem = why_not_storable(value)
        if problem:
            return problem
    return None
