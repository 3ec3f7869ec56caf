"""A whole run of faults with its judgement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.faults.faults import Say, faults
from bench.faults.founding import founded
from bench.faults.history import History
from bench.faults.judge import judge
from bench.faults.options import Options
from bench.faults.reading import read_history
from bench.faults.told import Told
from bench.faults.violation import Violation
from bench.faults.world import World
from bench.machine import machine

PROMISE = "nodes"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What happened, what is recorded of it, and what does not hold; ``machine``: what it ran on."""

    machine: Mapping[str, str]
    told: Told
    history: History
    violations: Sequence[Violation]


def verdict(options: Options, folder: Path, say: Say) -> Verdict:
    """Run one in servers of its own. ``folder``: an existing one, for the nodes' logs and what the tasks tell."""
    with founded(options, folder) as world:
        told = faults(world, say)
        history = _history(world, told)
        with world.connect() as connection:
            ran_on = machine(connection)
    return Verdict(ran_on, told, history, [*judge(history), *of_nodes(told)])


def of_nodes(told: Told) -> Iterator[Violation]:
    """No node ends by itself, each ends in peace when it is told to, and everything comes to rest."""
    for fallen in told.fallen:
        yield Violation(PROMISE, fallen)
    for name, codes in told.exit_codes.items():
        for code in codes:
            if code != 0:
                yield Violation(PROMISE, f"{name} ended with {code} after SIGTERM")
    for restless in told.restless:
        yield Violation(PROMISE, f"no rest: {restless}")


def _history(world: World, told: Told) -> History:
    return read_history(
        world.url,
        world.witness,
        told.bands,
        told.wall_minus_monotonic_s,
        told.healed_at,
        world.slack.inbox,
        world.stream,
        world.options,
    )
