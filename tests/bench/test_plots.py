"""What stands on the axes of pictures."""

from __future__ import annotations

import pytest

from bench.suite.plots import canvas, label_plainly


@pytest.mark.parametrize(
    ("low", "high", "between", "labels"),
    [
        (1.8, 12.0, (2.0, 5.0), ["2", "5", "10"]),
        (0.15, 1.5, (2.0, 5.0), ["0.2", "0.5", "1"]),
        (1_000, 2_000_000, (), ["1,000", "10,000", "100,000", "1,000,000"]),
    ],
)
def test_a_logarithmic_axis_has_numbers_and_no_powers(
    low: float, high: float, between: tuple[float, ...], labels: list[str]
) -> None:
    figure, axes = canvas("title", "x", "y")
    axes.set_xscale("log")
    axes.plot([low, high], [1, 2])
    axes.set_xlim(low, high)
    label_plainly(axes.xaxis, between)
    figure.canvas.draw()
    ticks = [*axes.xaxis.get_major_ticks(), *axes.xaxis.get_minor_ticks()]
    within = [tick.label1.get_text() for tick in ticks if low <= tick.get_loc() <= high]
    assert [text for text in within if text] == labels
