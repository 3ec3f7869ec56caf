"""One call for a whole batch, and what happens when one of the batch spoils it.

A value that cannot be stored, or a row that is locked for too long, fails the whole statement. The batch is then
split in
halves, again and again, until the culprit stands alone; all others are stored as if it had not been there. That is safe
because every call is one transaction and idempotent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import psycopg

from shardkeeper.postgres.errors import StoreTimeout, is_refusal

T = TypeVar("T")
A = TypeVar("A")


def in_parts(
    items: Sequence[T], call: Callable[[Sequence[T]], list[A]], refuse: Callable[[T, str], A]
) -> list[A]:
    """``call`` with all of ``items``, or in parts where some spoil it; ``refuse`` answers for one that cannot be
    stored.

    Answers stand in the order of the items. Raises StoreUnavailable at once when the store does not answer, and
    StoreTimeout for an item that times out by itself, after all others have been stored.
    """
    timeouts: list[StoreTimeout] = []
    answers = _parts(items, call, refuse, timeouts)
    if timeouts:
        raise timeouts[0]
    return answers


def _parts(
    items: Sequence[T],
    call: Callable[[Sequence[T]], list[A]],
    refuse: Callable[[T, str], A],
    timeouts: list[StoreTimeout],
) -> list[A]:
    if not items:
        return []
    try:
        return call(items)
    except StoreTimeout as timeout:
        if len(items) == 1:
            timeouts.append(timeout)
            return []
    except (psycopg.Error, ValueError) as error:
        reason = not_storable(error)
        if reason is None:
            raise
        if len(items) == 1:
            return [refuse(items[0], reason)]
    half = len(items) // 2
    first = _parts(items[:half], call, refuse, timeouts)
    return first + _parts(items[half:], call, refuse, timeouts)


def not_storable(error: psycopg.Error | ValueError) -> str | None:
    """Why a value of the request cannot be stored, in one line; None: the error is of another kind.

    A ValueError comes from the conversion to JSON: NaN, infinity, more digits than Python converts.
    """
    if isinstance(error, ValueError):
        return str(error)
    if not is_refusal(error):
        return None
    return (error.diag.message_primary or str(error)).splitlines()[0]
