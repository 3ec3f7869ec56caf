"""Who takes part: one system, opened anew for each of its turns."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from bench.schedules.burst import Burst
from bench.schedules.step import Step


class Turn(Protocol):
    """A system that runs; both raise Unavailable where it cannot."""

    def step(self, schedules: int) -> Step:
        """Let so many schedules fire, more than in the step before."""

    def burst(self, schedules: int) -> Burst:
        """Let so many be due at one instant, or as many as it can start, and nothing else."""


class Contender(Protocol):
    """``every_s``: how often each of its schedules fires; ``limit_s``: how late 99 of 100 fires may be for a step to
    be kept; ``notes``: what is not like for like."""

    @property
    def name(self) -> str: ...

    @property
    def isolation(self) -> str: ...

    @property
    def every_s(self) -> int: ...

    @property
    def limit_s(self) -> float: ...

    @property
    def notes(self) -> Sequence[str]: ...

    def open(self) -> AbstractContextManager[Turn]:
        """Raises Unavailable where it cannot be had here."""
