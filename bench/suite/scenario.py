"""What a scenario is: a documented program that starts its own servers and nodes, and measures in rounds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure that each round of a scenario gives, with what the budget asks of it.

    ``says``: what it is, in words for the page; ``unit``: "ms", "s", "/s", "MiB" or nothing. Without a limit it is
    shown beside the others and judged by nobody.
    """

    name: str
    says: str
    unit: str = ""
    at_most: float | None = None
    at_least: float | None = None

    @property
    def is_budget(self) -> bool:
        """Whether it must reach something."""
        return self.at_most is not None or self.at_least is not None

    def is_kept(self, value: float) -> bool:
        """Whether the value is within the budget."""
        above = self.at_least is None or value >= self.at_least
        return above and (self.at_most is None or value <= self.at_most)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round has measured. ``cores``: processors in use by kind of process; ``samples``: for the plots."""

    figures: Mapping[str, float]
    cores: Mapping[str, float] = field(default_factory=dict)
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    notes: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Scenario:
    """``name``: of its target, ``make bench-<name>``; ``how``: what a round does, a paragraph for the page.

    ``measure`` does one round with servers of its own, and leaves nothing behind. ``rounds``: how many make a median.
    ``draw`` makes a picture of a document (see Result) at a path. ``long``: it takes so long that it runs only when it
    is named. ``kept``: what else is to be renewed once its document lies where the page takes it from.
    """

    name: str
    title: str
    how: str
    figures: tuple[Figure, ...]
    measure: Callable[[], Round]
    rounds: int = 3
    draw: Callable[[Mapping[str, Any], Path], None] | None = None
    long: bool = False
    kept: Callable[[], None] | None = None
