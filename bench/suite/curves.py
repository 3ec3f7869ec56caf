"""A picture of a document: what comes up over time."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.suite.plots import Draw, canvas

COLOURS = ("#999999", "#2e8b57", "#d2691e", "#4169e1")


def draw_curves(lines: Mapping[str, str], step_s: float, axis: str) -> Draw:
    """``lines``: names of samples, one value for each step of so many seconds, with what they are called."""

    def draw(document: Mapping[str, Any], path: Path) -> None:
        figure, axes = canvas(document["title"], "seconds", axis)
        for (name, label), colour in zip(lines.items(), COLOURS, strict=False):
            values = document["samples"].get(name, [])
            axes.plot(
                [step_s * (place + 1) for place in range(len(values))], values, label=label, color=colour
            )
        axes.set_xlim(left=0)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False)
        figure.savefig(path, bbox_inches="tight")

    return draw
