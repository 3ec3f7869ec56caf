"""Pictures of several curves: how figures grow along an axis, one panel for each unit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.suite.plots import Draw, label_plainly

COLOURS = ("#2e8b57", "#e69f00", "#4169b0", "#d62728", "#7f7f7f", "#8c564b")


@dataclass(frozen=True, slots=True)
class Panel:
    """``axis``: what is shown, with its unit; ``curves``: the names of samples, by what the legend calls them."""

    axis: str
    curves: Mapping[str, str]


def draw_panels(
    x: str, axis: str, panels: Sequence[Panel], logarithmic: bool = False, dots: bool = True
) -> Draw:
    """The panels side by side, over the samples ``x``, which ``axis`` names. Every panel's axis begins at nothing."""

    def draw(document: Mapping[str, Any], path: Path) -> None:
        samples: Mapping[str, Sequence[float]] = document["samples"]
        figure = Figure(figsize=(4.6 * len(panels), 4.2), dpi=110, layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(document["title"])
        for place, panel in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), place + 1)
            _dress(axes, axis, panel.axis, logarithmic)
            for colour, (label, name) in zip(COLOURS, panel.curves.items(), strict=False):
                if name in samples:
                    axes.plot(samples[x], samples[name], "o-" if dots else "-", color=colour, label=label)
            axes.set_ylim(bottom=0)
            axes.legend(frameon=False, fontsize=8)
        figure.savefig(path)

    return draw


def _dress(axes: Axes, x: str, y: str, logarithmic: bool) -> None:
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", alpha=0.3)
    if logarithmic:
        axes.set_xscale("log")
        label_plainly(axes.xaxis)
