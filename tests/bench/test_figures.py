"""What the benchmarks make of their samples."""

from __future__ import annotations

import pytest

from bench.figures import drain_rates, medians, percentile


def test_a_percentile_is_a_sample_that_so_many_do_not_exceed() -> None:
    samples = [float(number) for number in range(100, 0, -1)]
    assert percentile(samples, 0.5) == 50.0
    assert percentile(samples, 0.99) == 99.0
    assert percentile(samples, 1.0) == 100.0
    assert percentile([7.0], 0.01) == 7.0


def test_there_is_no_percentile_of_nothing() -> None:
    with pytest.raises(ValueError, match="no samples"):
        percentile([], 0.5)


def test_the_whole_rate_has_the_tail_in_it_and_the_steady_one_has_not() -> None:
    # a hundred tasks at ten a second, the last of which hangs about for ten seconds more
    ended = [0.1 * number for number in range(1, 100)] + [20.0]
    rates = drain_rates(0.0, ended)
    assert rates.whole == pytest.approx(5.0)
    assert rates.steady == pytest.approx(10.0)


def test_when_each_task_ended_may_come_in_any_order() -> None:
    ended = [3.0, 1.0, 2.0, 5.0, 4.0, 9.0, 8.0, 7.0, 6.0, 10.0]
    assert drain_rates(0.0, ended) == drain_rates(0.0, sorted(ended))


def test_tasks_that_all_ended_at_once_have_no_finite_rate() -> None:
    assert drain_rates(1.0, [1.0] * 10).whole == float("inf")
    assert drain_rates(1.0, [1.0] * 10).steady == float("inf")


def test_a_median_is_taken_over_the_rounds_that_have_the_figure() -> None:
    rounds = [{"rate": 1.0, "p50": 5.0}, {"rate": 9.0}, {"rate": 2.0, "p50": 7.0}]
    assert medians(rounds) == {"rate": 2.0, "p50": 6.0}
    assert medians([]) == {}
