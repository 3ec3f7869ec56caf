"""What a task returns, as JSON text that PostgreSQL's jsonb can hold, within a limit."""

from __future__ import annotations

import json
from typing import Any

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, ensure_ascii=False).encode


class NotJson(Exception):
    """What the task returned is not JSON."""


class TooLarge(Exception):
    """What the task returned is too large."""


def json_text(value: Any, limit: int, what: str = "result") -> bytes:
    """UTF-8 JSON of ``value``. Raises NotJson (NaN, Infinity, NUL, lone surrogates included) or TooLarge
    beyond ``limit`` bytes.
    """
    if value is None:
        return b"null"
    try:
        text = _encode(value)
        encoded = text.encode()
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise NotJson(f"the {what} is not JSON: {_reason(error)}") from error
    if len(encoded) > limit:
        raise TooLarge(f"the {what} is too large: {len(encoded)} bytes, at most {limit} are kept")
    if "\\u0000" in text and _has_nul(value):
        raise NotJson(f"the {what} holds a NUL character (\\u0000), which PostgreSQL cannot store")
    return encoded


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeEncodeError):
        return "a text in it holds a lone surrogate"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    return str(error)[:500]


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\0" in value
    if isinstance(value, dict):
        return any(_has_nul(key) or _has_nul(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return any(_has_nul(one) for one in value)
    return False
