"""At the end everything has ended."""

from __future__ import annotations

from collections.abc import Iterator

from bench.faults.history import History
from bench.faults.violation import Violation

PROMISE = "rest"


def check(history: History) -> Iterator[Violation]:
    """What there should be none of."""
    for what, count in history.left.items():
        if count:
            yield Violation(PROMISE, f"{count} {what} are left")
