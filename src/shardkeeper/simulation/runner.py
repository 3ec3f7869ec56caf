"""Many seeds, on all cores; a seed that breaks a promise is told with its trace, and replays exactly."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

from shardkeeper.simulation.seeded import Story, live_through

EVENTS = 2_000
LINES = 60


@dataclass(frozen=True, slots=True)
class Report:
    """What one seed came to; ``text`` is empty when no promise broke."""

    seed: int
    events: int
    virtual_s: float
    text: str


def report(seed: int, events: int = EVENTS) -> Report:
    """Live through a seed and say what broke."""
    return told(live_through(seed, events), events)


def told(story: Story, events: int) -> Report:
    """The promises broken, how to see it again, and the last lines about it."""
    lines: list[str] = []
    if story.broken:
        lines.append(f"seed {story.seed} breaks {len(story.broken)} times:")
        lines += [f"  {broken}" for broken in story.broken[:5]]
        lines.append(
            f"again: python -m shardkeeper.simulation --seed {story.seed} --runs 1 --events {events}"
        )
        lines += story.world.trace.text(story.broken[0].about, LINES)
    return Report(story.seed, story.events, story.virtual_s, "\n".join(lines))


def main(arguments: list[str] | None = None) -> int:
    """The command: 0 when every promise held in every seed, 1 when one broke."""
    parser = argparse.ArgumentParser(prog="python -m shardkeeper.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first seed")
    parser.add_argument("--runs", type=int, default=300, help="how many seeds, one after the other")
    parser.add_argument(
        "--events", type=int, default=EVENTS, help="events of each storm, before it is healed"
    )
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args(arguments)
    began, done, bad, events, virtual_s = time.monotonic(), 0, 0, 0, 0.0
    for one in _reports(range(given.seed, given.seed + given.runs), given.events, given.processes):
        done, events, virtual_s = done + 1, events + one.events, virtual_s + one.virtual_s
        if one.text:
            bad += 1
            _print(one.text + "\n")
    took_s = time.monotonic() - began
    _print(
        f"{done} seeds, {events} events, {virtual_s / 3600:.1f} hours of virtual time in {took_s:.1f} s"
        f" ({done / took_s:.1f} seeds/s): {bad or 'none'} broke a promise"
    )
    return 1 if bad else 0


def _reports(seeds: range, events: int, processes: int) -> Iterator[Report]:
    if processes <= 1 or len(seeds) == 1:
        yield from (report(seed, events) for seed in seeds)
        return
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(_Task(events), seeds, chunksize=4)


@dataclass(frozen=True, slots=True)
class _Task:
    """What a process of the pool does with a seed."""

    events: int

    def __call__(self, seed: int) -> Report:
        return report(seed, self.events)


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
