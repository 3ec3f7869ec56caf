"""One line of the answer: what one system did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

FIGURES = ("bare_per_s", "submit_per_s", "bulk_per_s", "whole_per_s", "steady_per_s", "p50_ms", "p99_ms")


@dataclass(frozen=True)
class Round:
    """``figures``: by the names in FIGURES, and others; ``cores``: by kind of process, while draining."""

    figures: Mapping[str, float]
    cores: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """Medians of the rounds, and the rounds. ``problem``: why there are no figures."""

    system: str
    isolation: str
    figures: Mapping[str, float] = field(default_factory=dict)
    cores: Mapping[str, float] = field(default_factory=dict)
    notes: Sequence[str] = ()
    problem: str | None = None
    rounds: Sequence[Round] = ()
