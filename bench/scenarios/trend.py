"""The straight line through samples that tells them best (least squares)."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import linear_regression


def slope(x: Sequence[float], y: Sequence[float], share: float = 1.0) -> float:
    """How much ``y`` grows for each unit of ``x``, over the last ``share`` (0 to 1) of the samples; ValueError where
    these are fewer than two."""
    first = len(x) - round(len(x) * share)
    if len(x) - first < 2:
        raise ValueError("a line through fewer than two samples")
    return linear_regression(x[first:], y[first:]).slope
