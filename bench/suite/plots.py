"""Pictures of documents: histograms, figures over time, growth."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

COLOUR = "#2e8b57"
BINS = 60

Draw = Callable[[Mapping[str, Any], Path], None]


def draw_histogram(samples: str, axis: str) -> Draw:
    """How often each value of the ``samples`` came, on a logarithmic axis that is called ``axis``."""

    def draw(document: Mapping[str, Any], path: Path) -> None:
        values = [max(0.1, value) for value in document["samples"][samples]]
        low, high = min(values), max(values)
        edges = [low * (high / low) ** (place / BINS) for place in range(BINS + 1)]
        figure, axes = canvas(document["title"], axis, "how many")
        axes.set_xscale("log")
        label_plainly(axes.xaxis, between=(2.0, 5.0))
        axes.hist(values, bins=edges, color=COLOUR)
        figure.savefig(path, bbox_inches="tight")

    return draw


def canvas(title: str, x: str, y: str) -> tuple[Figure, Axes]:
    """A figure with one pair of axes, dressed."""
    figure = Figure(figsize=(9, 4.2), dpi=110)
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.set_title(title)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    return figure, axes


def label_plainly(axis: Axis, between: Sequence[float] = ()) -> None:
    """A logarithmic axis with 1,000 where 10 to the third would stand; ``between``: what else of each power of ten is
    named, for axes of one or two of them."""
    axis.set_major_locator(LogLocator(subs=(1.0, *between)))
    axis.set_major_formatter(FuncFormatter(lambda number, _: _plain(number)))
    axis.set_minor_formatter(NullFormatter())


def _plain(number: float) -> str:
    return f"{number:,.0f}" if number >= 1 else f"{number:g}"
