"""How much a node holds ahead of its workers."""

from __future__ import annotations

from shardkeeper.domain.planner.holdings import Holdings


def test_what_is_claimed_ahead_goes_by_the_workers_there_are_and_by_how_long_attempts_took_lately() -> None:
    holdings = Holdings(ahead_s=0.1, most_ahead=100, most_waiting=10)
    holdings.capacity = 2
    for _ in range(100):
        holdings.lasted(0.01)
    few = holdings.ahead
    assert holdings.room == 2 + few
    holdings.capacity = 4
    assert holdings.ahead > few
    for _ in range(100):
        holdings.lasted(0.1)
    assert holdings.ahead < few
