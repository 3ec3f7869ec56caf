"""What the scenarios make of fires."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from bench.scenarios.fires import Fire, is_sustained, rising
from bench.scenarios.ladder import highest


def fires(*began_s: float) -> list[Fire]:
    """One a second, each recorded as soon as it began."""
    return [Fire(float(second), late_s, late_s) for second, late_s in enumerate(began_s)]


def test_a_rate_is_sustained_when_all_fires_ran_within_a_second() -> None:
    assert is_sustained(fires(*[0.2] * 300), due=300)


def test_a_rate_is_not_sustained_when_a_fire_is_missing_or_none_ran() -> None:
    assert not is_sustained(fires(*[0.2] * 299), due=300)
    assert not is_sustained([], due=0)


def test_one_fire_of_a_hundred_may_be_a_second_late_but_no_more() -> None:
    assert is_sustained(fires(*[0.2] * 297, *[1.0] * 3), due=300)
    assert not is_sustained(fires(*[0.2] * 296, *[1.0] * 4), due=300)


def test_fires_that_get_later_and_later_are_not_sustained() -> None:
    growing = [0.2 + 0.7 * second / 300 for second in range(300)]
    assert not is_sustained(fires(*growing), due=300)
    assert is_sustained(fires(*reversed(growing)), due=300)


def test_a_few_milliseconds_more_are_no_growth() -> None:
    assert is_sustained(fires(*[0.01] * 150, *[0.1] * 150), due=300)


def test_a_curve_rises_by_what_came_in_each_step() -> None:
    assert rising([11.2, 10.1, 10.2, 12.5], since=10.0, step_s=0.5, steps=4) == [2, 2, 3, 3]
    assert rising([], since=0.0, step_s=1.0, steps=2) == [0, 0]


@pytest.mark.parametrize(("breaks_at", "found"), [(100, None), (300, 200), (500, 400), (9999, 500)])
def test_the_highest_rung_that_holds_is_found(breaks_at: int, found: int | None) -> None:
    rungs: Sequence[int] = (100, 200, 300, 400, 500)
    assert highest(rungs, lambda rung: rung < breaks_at) == found


def test_a_ladder_is_climbed_in_few_steps() -> None:
    tried: list[int] = []

    def holds(rung: int) -> bool:
        tried.append(rung)
        return rung < 11

    assert highest(range(1, 16), holds) == 10
    assert len(tried) == 4
