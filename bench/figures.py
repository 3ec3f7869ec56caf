"""What is made of samples: percentiles, rates, medians of rounds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

STEADY_FROM, STEADY_TO = 0.1, 0.9
MIB = 1 << 20
"""Bytes."""


def percentile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least ``share`` (0 to 1) of them do not exceed; raises ValueError without samples."""
    if not samples:
        raise ValueError("a percentile of no samples")
    ranked = sorted(samples)
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]


@dataclass(frozen=True, slots=True)
class DrainRates:
    """Tasks per second. ``whole``: from the first start to the last end, the tail included; ``steady``: the middle
    four fifths of them, by when they ended."""

    whole: float
    steady: float


def drain_rates(began: float, ended: Sequence[float]) -> DrainRates:
    """``began``: when the first task was taken up; ``ended``: when each ended; seconds of one clock."""
    ranked = sorted(ended)
    low, high = int(len(ranked) * STEADY_FROM), int(len(ranked) * STEADY_TO)
    steady_s = ranked[high] - ranked[low]
    whole_s = ranked[-1] - began
    return DrainRates(
        len(ranked) / whole_s if whole_s > 0 else math.inf,
        (high - low) / steady_s if steady_s > 0 else math.inf,
    )


def medians(rounds: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each figure, over the rounds that have it."""
    found: dict[str, list[float]] = {}
    for figures in rounds:
        for name, figure in figures.items():
            found.setdefault(name, []).append(figure)
    return {name: median(all_of_them) for name, all_of_them in found.items()}
