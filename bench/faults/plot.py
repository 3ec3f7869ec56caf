"""A picture of a run of faults: each fire a dot, by when it was due and how late it was, with the faults as bands."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.faults.accounts import LOST, fates
from bench.faults.bands import Band
from bench.faults.history import History
from bench.faults.lateness import starts

ON_TIME_S = 1.0
FLOOR_S, MISSED_S, TOP_S = 0.001, 120.0, 200.0
"""Of the axis: what was quicker lies at the floor, what never ran in a row of its own above all that did."""
GREEN, AMBER, RED, BLACK = "#2e8b57", "#e69f00", "#d62728", "#000000"
SHADES = ("#dce6f2", "#efe3d0")
TICKS = {0.001: "1 ms", 0.01: "10 ms", 0.1: "100 ms", 1.0: "1 s", 10.0: "10 s", MISSED_S: "never"}
NARROWEST_S = 1.0
"""Of a band, so that a fault of an instant is seen."""
LABEL_EVERY = 0.021
"""Least distance of two labels, as a share of the axis: how tall a line of them is."""

Dots = dict[str, list[tuple[float, float]]]


def draw(history: History, path: Path) -> None:
    """Write the picture, in the format that the name of ``path`` says."""
    figure = Figure(figsize=(16, 8.4), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.055, 0.075, 0.935, 0.66))
    dots = _dots(history)
    begins, ends = _extent(history, dots)
    axes.set_xlim(0.0, max(1.0, ends - begins) * 1.005)
    _shade(axes, history.bands, begins)
    _scatter(axes, dots, begins)
    _dress(axes)
    figure.savefig(path, bbox_inches="tight")


def _dots(history: History) -> Dots:
    """By colour: when due, how late. Of a fire of several items the latest one counts."""
    late: dict[int, tuple[float, float]] = {}
    for start in starts(history):
        before = late.get(start.run, (start.fire_time, 0.0))
        late[start.run] = (start.fire_time, max(before[1], start.late_s))
    found: Dots = {GREEN: [], AMBER: [], RED: [], BLACK: []}
    for at, seconds in late.values():
        found[GREEN if seconds <= ON_TIME_S else AMBER].append((at, max(FLOOR_S, seconds)))
    for _, at, fate in fates(history):
        if at >= history.all_up_at and fate in ("missed", LOST):
            found[RED if fate == "missed" else BLACK].append((at, MISSED_S))
    return found


def _extent(history: History, dots: Dots) -> tuple[float, float]:
    times = [at for own in dots.values() for at, _ in own]
    times += [time for band in history.bands for time in (band.began, band.healed)]
    return min(times, default=0.0), max(times, default=1.0)


def _shade(axes: Axes, bands: Sequence[Band], begins: float) -> None:
    """Bands in two shades by turns, each with its name above."""
    whole_s = axes.get_xlim()[1]
    taken = -1.0
    for number, band in enumerate(bands):
        since = band.began - begins
        until = max(band.healed - begins, since + NARROWEST_S)
        axes.axvspan(since, until, color=SHADES[number % 2], linewidth=0, zorder=0)
        place = max((since + until) / 2 / whole_s, taken + LABEL_EVERY)
        taken = place
        name = f"{band.kind}, {band.target}" if band.target else band.kind
        axes.annotate(
            name,
            xy=((since + until) / 2 / whole_s, 1.0),
            xytext=(place, 1.03),
            xycoords="axes fraction",
            rotation=60,
            fontsize=8.5,
            ha="left",
            va="bottom",
            arrowprops={"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 0},
        )


def _scatter(axes: Axes, dots: Dots, begins: float) -> None:
    names = {GREEN: "on time", AMBER: "more than 1 s late", RED: "MISSED, by policy", BLACK: "lost"}
    sizes = {GREEN: 4, AMBER: 9, RED: 9, BLACK: 40}
    for colour, own in dots.items():
        axes.scatter(
            [at - begins for at, _ in own],
            [late for _, late in own],
            s=sizes[colour],
            c=colour,
            alpha=0.35 if colour == GREEN else 0.8,
            linewidths=0,
            zorder=2,
        )
    # below the axis, where no dot lies; the dots of its own are as large as each other and opaque
    keys = [
        Line2D(
            [],
            [],
            color=colour,
            marker="o",
            markersize=7,
            linestyle="",
            label=f"{name}: {len(dots[colour]):,}",
        )
        for colour, name in names.items()
    ]
    axes.legend(
        handles=keys, loc="upper right", bbox_to_anchor=(1.0, -0.045), ncols=4, frameon=False, fontsize=10
    )


def _dress(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.set_ylim(FLOOR_S * 0.8, TOP_S)
    axes.set_yticks(list(TICKS), labels=list(TICKS.values()))
    axes.tick_params(axis="y", which="minor", left=False)
    axes.axhline(ON_TIME_S, color="#555555", linewidth=0.7, linestyle="--", zorder=1)
    axes.set_ylabel("from the fire time to the first line of the task")
    axes.set_xlabel("seconds since the first dot", loc="left")
    axes.spines[["top", "right"]].set_visible(False)
