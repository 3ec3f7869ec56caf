"""How many short ones may lie behind what a worker runs."""

from __future__ import annotations

import pytest

from shardkeeper.workers.pace import Pace


@pytest.mark.parametrize(
    ("lasted_s", "ahead"), [(0.00001, 128), (0.00003, 128), (0.0001, 40), (0.0009, 4), (0.0011, 0), (5.0, 0)]
)
def test_as_many_go_ahead_as_end_in_four_milliseconds_where_each_is_over_at_once(
    lasted_s: float, ahead: int
) -> None:
    pace = Pace()
    pace.lasted("m:C", lasted_s)
    assert pace.ahead("m:C") == pytest.approx(ahead, abs=1 if ahead == 40 else 0)


def test_of_what_nobody_knows_nothing_goes_ahead() -> None:
    assert Pace().ahead("m:C") == 0
