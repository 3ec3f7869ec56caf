"""JSON out of PostgreSQL, read quickly: what the quick reader does not take is the standard one's to decide."""

from __future__ import annotations

import json
from typing import Any

import msgspec

_quick = msgspec.json.Decoder().decode


def loads(text: str | bytes) -> Any:
    """As ``json.loads`` has it: numbers of any size, lone surrogates."""
    try:
        return _quick(text)
    except (msgspec.DecodeError, RecursionError):
        return json.loads(text)
