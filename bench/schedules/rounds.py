"""The rounds: in each all take their turn, and climb until they do not keep a step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from bench.on_demand.contenders import Unavailable
from bench.schedules.contender import Contender, Turn
from bench.schedules.options import Options
from bench.schedules.row import Round, Row
from bench.schedules.step import Step

Found = TypeVar("Found")
Say = Callable[[str], None]


def measure(contenders: Sequence[Contender], options: Options, say: Say) -> list[Row]:
    """A row for each; ``say`` is told each figure as it comes."""
    rounds: list[list[Round]] = [[] for _ in contenders]
    for number in range(options.rounds):
        for contender, taken in zip(contenders, rounds, strict=True):
            say(f"round {number + 1}, {contender.name}")
            taken.append(_round(contender, options, say))
    return [
        Row(one.name, one.isolation, one.every_s, one.limit_s, tuple(one.notes), tuple(taken))
        for one, taken in zip(contenders, rounds, strict=True)
    ]


def _round(contender: Contender, options: Options, say: Say) -> Round:
    problems: list[str] = []
    try:
        with contender.open() as turn:
            steps = _climb(turn, contender.limit_s, options.ladder, problems, say)
            burst = _tried(partial(turn.burst, options.burst), problems)
            say(f"  {burst}")
    except Unavailable as error:
        return Round(problems=(str(error),))
    return Round(tuple(steps), burst, tuple(problems))


def _climb(turn: Turn, limit_s: float, ladder: Sequence[int], problems: list[str], say: Say) -> list[Step]:
    steps: list[Step] = []
    for schedules in ladder:
        step = _tried(partial(turn.step, schedules), problems)
        say(f"  {step}")
        if step is None:
            break
        steps.append(step)
        if not step.is_kept(limit_s):
            break
    return steps


def _tried(work: Callable[[], Found], problems: list[str]) -> Found | None:
    try:
        return work()
    except Unavailable as error:
        problems.append(str(error))
        return None
