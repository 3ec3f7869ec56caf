"""One life of each node, and nothing under those that are over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bench.faults.history import History
from bench.faults.violation import Violation

PROMISE = "leases"


def check(history: History) -> Iterator[Violation]:
    """As they are at the end."""
    living = Counter(lease.node for lease in history.leases if lease.state != "dead")
    for node, lives in living.items():
        if lives > 1:
            yield Violation(PROMISE, f"{node} has {lives} living incarnations")
    for lease in history.leases:
        if lease.running:
            what = f"{lease.running} attempts are RUNNING under {lease.incarnation} of {lease.node} ({lease.state})"
            yield Violation(PROMISE, what)
