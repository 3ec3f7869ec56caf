"""An outage is told by each lane, but not once for each call of it."""

from __future__ import annotations

from shardkeeper.domain.facts import CallUnanswered
from shardkeeper.node.unanswered import Unanswered


def test_an_outage_is_told_when_it_begins_when_its_reason_changes_and_each_ten_seconds() -> None:
    facts: list[object] = []
    now = [100.0]
    unanswered = Unanswered("specs", lambda: now[0], facts.append)
    for second, reason in ((0.0, "cut"), (1.0, "cut"), (2.0, "locked"), (11.9, "locked"), (12.0, "locked")):
        now[0] = 100.0 + second
        unanswered(reason)
    assert facts == [CallUnanswered("specs", reason) for reason in ("cut", "locked", "locked")]
