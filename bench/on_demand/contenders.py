"""Who takes part, and the rounds: in each all take their turn, so that a slow minute of the machine hits all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from bench.figures import medians
from bench.on_demand.rows import Round, Row


class Unavailable(Exception):
    """One that cannot be had here, or does not end its tasks; the reason is its message."""


class Contender(Protocol):
    """One system, with what it needs already running."""

    @property
    def name(self) -> str: ...

    @property
    def isolation(self) -> str: ...

    @property
    def notes(self) -> Sequence[str]:
        """What is not like for like."""

    def round(self) -> Round:
        """Submit a backlog, drain it, pick up single tasks; raises Unavailable."""


@dataclass
class _Turn:
    contender: Contender
    rounds: list[Round] = field(default_factory=list)
    problem: str | None = None

    def take(self, bare_per_s: float) -> str:
        try:
            taken = self.contender.round()
        except Unavailable as error:
            self.problem = str(error)
            return self.problem
        self.rounds.append(Round({"bare_per_s": bare_per_s, **taken.figures}, taken.cores))
        return "  ".join(f"{name} {figure:,.1f}" for name, figure in self.rounds[-1].figures.items())

    def row(self) -> Row:
        one = self.contender
        if self.problem is not None:
            return Row(one.name, one.isolation, problem=self.problem)
        return Row(
            one.name,
            one.isolation,
            medians(each.figures for each in self.rounds),
            medians(each.cores for each in self.rounds),
            one.notes,
            rounds=tuple(self.rounds),
        )


def measure(
    contenders: Sequence[Contender], rounds: int, pace: Callable[[], float], say: Callable[[str], None]
) -> list[Row]:
    """A row for each; one that has a problem in a round is left out of those that follow. ``pace``: bare INSERTs per
    second, asked for before each turn, since a turn begins with submissions and disks are moody."""
    turns = [_Turn(contender) for contender in contenders]
    for number in range(rounds):
        for turn in turns:
            if turn.problem is None:
                told = turn.take(pace())
                say(f"round {number + 1}, {turn.contender.name} ({turn.contender.isolation}): {told}")
    return [turn.row() for turn in turns]
