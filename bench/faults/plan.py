"""The timeline of a run: which nemesis strikes when, and for how long. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from random import Random

from bench.faults.nemeses.lineup import NEMESES
from bench.faults.nemeses.nemesis import Nemesis
from bench.faults.options import Options

_SHORTEST, _LONGEST = 0.5, 1.5
"""Of what is drawn around a length that the options give."""


@dataclass(frozen=True, slots=True)
class Step:
    """``calm_s``: seconds before it strikes in which nothing does; ``holds_s``: for how many it is to hold."""

    nemesis: Nemesis
    calm_s: float
    holds_s: float


def plan(options: Options, lacking: Collection[str] = ()) -> tuple[Step, ...]:
    """Each nemesis that was asked for once, in an order drawn from the seed, without those that need what the world is
    ``lacking``. Raises ValueError for a name that none has."""
    rng = Random(f"plan {options.seed}")
    chosen = list(_asked_for(options.nemeses))
    # drawn before any is left out: so the others' order and calm do not hang on what this machine has
    rng.shuffle(chosen)
    calm = [options.calm_s * rng.uniform(_SHORTEST, _LONGEST) for _ in chosen]
    return tuple(
        Step(nemesis, calm_s, nemesis.holds_s(options))
        for nemesis, calm_s in zip(chosen, calm, strict=True)
        if nemesis.needs not in lacking
    )


def lasts_s(steps: Iterable[Step]) -> float:
    """Seconds that a timeline takes at least."""
    return sum(step.calm_s + step.holds_s for step in steps)


def _asked_for(names: Collection[str]) -> Iterable[Nemesis]:
    if unknown := [name for name in names if name not in NEMESES]:
        known = ", ".join(sorted(NEMESES))
        raise ValueError(f"no nemesis is called {', '.join(unknown)}; there are: {known}")
    return [nemesis for name, nemesis in NEMESES.items() if not names or name in names]
