"""Reading one value of a row or spec file: from what JSON can hold to what specs hold.

Every reader takes any value and raises ValueInvalid, with the reason and the mend, where it is not of its type.
Ranges are judged later, on the spec.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, TypeVar

from shardkeeper.domain.durations import parse_duration
from shardkeeper.domain.errors import ValueInvalid
from shardkeeper.domain.frozen import EMPTY, FrozenMap, frozen

E = TypeVar("E", bound=StrEnum)


class UnknownChoice(ValueInvalid):
    """The value may be right for a newer version."""


def read_text(value: object) -> str:
    """A string."""
    if not isinstance(value, str):
        raise _wrong_type(value, "text", "write it in quotes")
    return value


def read_flag(value: object) -> bool:
    """True or false."""
    if not isinstance(value, bool):
        raise _wrong_type(value, "true or false", "write true or false")
    return value


def read_integer(value: object) -> int:
    """A whole number; true and false are none."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise _wrong_type(value, "a whole number", "write it without quotes and fraction")
    return value


def read_number(value: object) -> float:
    """A finite number; true and false are none."""
    if isinstance(value, str) and value.lower() in ("nan", "infinity", "-infinity"):
        raise ValueInvalid("is not a finite number", "write a finite number")
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise _wrong_type(value, "a number", "write it without quotes")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueInvalid("is not a finite number", "write a finite number")
    return number


def read_instant(value: object) -> datetime:
    """An instant with its offset from UTC, as ISO 8601 text or an aware datetime; given in UTC."""
    instant = value if isinstance(value, datetime) else _instant_of_text(value)
    if instant.utcoffset() is None:
        raise ValueInvalid("has no offset from UTC", "add Z, for example 2026-11-21T03:00:00Z")
    try:
        return instant.astimezone(UTC)
    except OverflowError as error:
        raise ValueInvalid("is beyond the years 1 to 9999", "write an instant that comes") from error


def _instant_of_text(value: object) -> datetime:
    mend = "write for example 2026-11-21T03:00:00Z"
    if not isinstance(value, str):
        raise _wrong_type(value, "an instant", mend)
    try:
        return datetime.fromisoformat(value)
    except ValueError as error:
        raise ValueInvalid("is not an instant in ISO 8601", mend) from error


def read_duration(value: object) -> timedelta:
    """A duration as text, or a timedelta. A bare number is refused: its unit could be mistaken."""
    if isinstance(value, timedelta):
        return value
    if not isinstance(value, str):
        raise _wrong_type(value, "a duration", 'write it with its unit, for example "30 s"')
    return parse_duration(value)


def read_object(value: object) -> FrozenMap[Any]:
    """A JSON object; its values are judged with the spec."""
    if value == EMPTY and isinstance(value, Mapping):
        return EMPTY
    if not isinstance(value, Mapping):
        raise _wrong_type(value, "an object", "write {} or key: value pairs")
    for key in value:
        if not isinstance(key, str):
            raise ValueInvalid(f"has a key that is not text: {key!r:.40}", "write the key in quotes")
    return frozen(value)


def read_texts(value: object) -> FrozenMap[str]:
    """An object whose values are text."""
    texts = read_object(value)
    for key, text in texts.items():
        if not isinstance(text, str):
            raise ValueInvalid(
                f"has a value that is not text: {key!r:.40}: {text!r:.40}", "write it in quotes"
            )
    return texts


def read_names(value: object) -> tuple[str, ...]:
    """A list of texts."""
    if not isinstance(value, list | tuple) or not all(isinstance(name, str) for name in value):
        raise _wrong_type(value, "a list of names", 'write for example ["ValueError"]')
    return tuple(value)


def read_durations(value: object) -> FrozenMap[timedelta]:
    """An object whose values are durations."""
    durations = {}
    for key, text in read_object(value).items():
        try:
            durations[key] = read_duration(text)
        except ValueInvalid as wrong:
            raise ValueInvalid(f"{key!r:.40} {wrong.reason}", wrong.mend) from wrong
    return frozen(durations)


def read_choice(choices: type[E], value: object) -> E:
    """A member of the enumeration. Raises UnknownChoice for text that this version does not know."""
    member = choices._value2member_map_.get(value) if isinstance(value, str) else None
    if isinstance(member, choices):
        return member
    known = ", ".join(choices)
    if not isinstance(value, str):
        raise _wrong_type(value, f"one of {known}", f"write one of {known}")
    raise UnknownChoice(f"is none of {known}", f"write one of {known}")


def _wrong_type(value: object, wanted: str, mend: str) -> ValueInvalid:
    if value is None:
        return ValueInvalid("is null", f"leave it out, or make it {wanted}")
    names = {
        bool: "true or false",
        str: "text",
        int: "a number",
        float: "a number",
        list: "a list",
        dict: "an object",
    }
    return ValueInvalid(f"is {names.get(type(value), type(value).__name__)}, not {wanted}", mend)
