"""Whether a history keeps the promises: pure, so that it can be shown bad ones (tests/bench/test_faults_judge.py)."""

from __future__ import annotations

from bench.faults.history import History
from bench.faults.promises import (
    alerts,
    attempts,
    endings,
    fires,
    lease_loss,
    leases,
    outages,
    rest,
    submissions,
    values,
    witnesses,
)
from bench.faults.violation import Violation

PROMISES = (
    fires,
    submissions,
    rest,
    endings,
    attempts,
    witnesses,
    lease_loss,
    values,
    alerts,
    leases,
    outages,
)


def judge(history: History) -> list[Violation]:
    """All that does not hold, promise by promise."""
    return [violation for promise in PROMISES for violation in promise.check(history)]
