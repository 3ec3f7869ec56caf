"""What the scenario of the protocol's calls reckons with."""

from __future__ import annotations

import pytest

from bench.scenarios.calls import both, parts


def test_what_is_done_twice_takes_the_time_of_both() -> None:
    assert both(1_000.0, 1_000.0) == pytest.approx(500.0)
    assert both(3_000.0, 1_500.0) == pytest.approx(1_000.0)


def test_batches_hold_every_item_once_and_the_last_may_be_smaller() -> None:
    assert list(parts([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(parts([], 2)) == []
