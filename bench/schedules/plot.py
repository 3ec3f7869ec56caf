"""The picture: how late fires are as there are more schedules, a line for each system."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle
from pathlib import Path

from matplotlib.axes import Axes

from bench.schedules.row import Row
from bench.schedules.step import LATE_S
from bench.suite.plots import COLOUR, canvas, label_plainly

COLOURS = (COLOUR, "#1f77b4", "#9467bd", "#e69f00", "#d62728", "#7f7f7f")


def draw(rows: Sequence[Row], path: Path) -> None:
    """p99 against schedules, both logarithmic; a cross where a step was not kept."""
    figure, axes = canvas("Schedules: lateness", "schedules", "99 of 100 fires begin within, ms")
    axes.set_xscale("log")
    axes.set_yscale("log")
    label_plainly(axes.xaxis)
    label_plainly(axes.yaxis)
    axes.axhline(LATE_S * 1000, color="black", linewidth=0.8, linestyle=":")
    for row, colour in zip(rows, cycle(COLOURS), strict=False):
        _line(axes, row, colour)
    axes.legend(fontsize=8, frameon=False)
    figure.savefig(path, bbox_inches="tight")


def _line(axes: Axes, row: Row, colour: str) -> None:
    found = [(step.schedules, step.p99_ms, step.is_kept(row.limit_s)) for step in row.steps if step.p99_ms]
    axes.plot(*_points(found), color=colour, marker="o", markersize=4, label=row.system)
    beyond = [point for point in found if not point[2]]
    axes.plot(*_points(beyond), color=colour, marker="X", markersize=9, linestyle="")


def _points(found: Sequence[tuple[int, float, bool]]) -> tuple[list[int], list[float]]:
    return [size for size, _, _ in found], [p99_ms for _, p99_ms, _ in found]
