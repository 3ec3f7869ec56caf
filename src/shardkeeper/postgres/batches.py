"""One call for a whole batch, and what happens when one of the batch spoils it.

A value that cannot be stored, or a row that is locked for too long, fails the whole statement. The batch is then
split in halves, again and again, until the culprit stands alone; all others are stored as if it had not been
there. That is safe because every call is one transaction and idempotent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

import psycopg

from shardkeeper.postgres.errors import BatchTimeout, StoreTimeout, is_refusal

T = TypeVar("T")
A = TypeVar("A")

MOST_TIMEOUTS: Final = 5
"""So many in a row, and it is not one row of the batch that is locked, but a table, or the whole store is slow.
Enough for two culprits in different halves."""


def in_parts(
    items: Sequence[T], call: Callable[[Sequence[T]], list[A]], refuse: Callable[[T, str], A]
) -> list[A]:
    """``call`` with all of ``items``, or in parts where some spoil it; ``refuse`` answers for one that cannot be
    stored.

    Answers stand in the order of the items. Raises StoreUnavailable at once when the store does not answer,
    BatchTimeout when an item timed out by itself, after all others have been stored, and StoreTimeout (BatchTimeout,
    where some were stored before) when nothing gets through.
    """
    answers: dict[int, list[A]] = {}
    alone: StoreTimeout | None = None
    in_a_row = 0
    # breadth first: a half that is sound shows at once that the store itself is well
    parts = deque([(0, len(items))] if items else [])
    while parts:
        start, end = parts.popleft()
        try:
            answers[start] = call(items[start:end])
            in_a_row = 0
            continue
        except StoreTimeout as timeout:
            in_a_row += 1
            if in_a_row == MOST_TIMEOUTS:
                raise _with_answers(answers, len(items), timeout) from timeout
            if end - start == 1:
                alone = timeout
                continue
        except (psycopg.Error, ValueError) as error:
            reason = not_storable(error)
            if reason is None:
                raise
            if end - start == 1:
                answers[start] = [refuse(items[start], reason)]
                continue
        half = (start + end) // 2
        parts += ((start, half), (half, end))
    if alone is not None:
        raise _with_answers(answers, len(items), alone)
    return [answer for start in sorted(answers) for answer in answers[start]]


def _with_answers(answers: dict[int, list[A]], count: int, timeout: StoreTimeout) -> StoreTimeout:
    """The time-out, with the answers of those that were stored all the same."""
    if not answers:
        return timeout
    found: list[A | None] = [None] * count
    for start, part in answers.items():
        found[start : start + len(part)] = part
    error = BatchTimeout(found, str(timeout))
    error.__cause__ = timeout
    return error


def not_storable(error: psycopg.Error | ValueError) -> str | None:
    """Why a value of the request cannot be stored, in one line; None: the error is of another kind.

    A ValueError comes from the conversion to JSON: NaN, infinity, more digits than Python converts.
    """
    if isinstance(error, ValueError):
        return str(error)
    if not is_refusal(error):
        return None
    return (error.diag.message_primary or str(error)).splitlines()[0]
