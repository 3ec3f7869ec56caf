"""What one system did, round by round, and the medians of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from bench.schedules.burst import Burst
from bench.schedules.step import Step, median_step


@dataclass(frozen=True, slots=True)
class Round:
    """``steps``: up to the first that was not kept; ``problems``: what could not be measured, and why."""

    steps: Sequence[Step] = ()
    burst: Burst | None = None
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One system; see Contender."""

    system: str
    isolation: str
    every_s: int
    limit_s: float
    notes: Sequence[str]
    rounds: Sequence[Round]

    @property
    def steps(self) -> list[Step]:
        """A step of medians for each size that any round came to."""
        sizes = sorted({step.schedules for one in self.rounds for step in one.steps})
        return [
            median_step([step for one in self.rounds for step in one.steps if step.schedules == size])
            for size in sizes
        ]

    @property
    def kept(self) -> int:
        """The most schedules that it keeps: the median of the rounds; 0 where it keeps none."""
        highest = (
            max((step.schedules for step in one.steps if step.is_kept(self.limit_s)), default=0)
            for one in self.rounds
        )
        return int(median(highest))

    @property
    def kept_per_s(self) -> float:
        """The fires a second that these make."""
        return self.kept / self.every_s

    @property
    def burst(self) -> Burst | None:
        """Of medians."""
        found = [one.burst for one in self.rounds if one.burst is not None]
        if not found:
            return None
        return Burst(
            found[0].schedules,
            int(median(one.started for one in found)),
            median(one.seconds for one in found),
        )

    @property
    def problems(self) -> list[str]:
        """Each once."""
        return list(dict.fromkeys(problem for one in self.rounds for problem in one.problems))

    def step(self, schedules: int) -> Step | None:
        """That of medians, of this size."""
        return next((one for one in self.steps if one.schedules == schedules), None)
