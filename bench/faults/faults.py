"""One run of faults, from the first node to the last: struck, healed, come to rest, stopped."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from random import Random

from bench.faults.bands import Band
from bench.faults.jobs import end_jobs, insert_jobs
from bench.faults.nemeses.lineup import NEMESES
from bench.faults.plan import Step, lasts_s, plan
from bench.faults.reading import on_its_way
from bench.faults.told import Told
from bench.faults.world import World

Say = Callable[[str], None]
_UNREACHABLE = 69
"""The exit code of a command for which a server was away."""
_LOOK_S = 1.0
"""Between two looks at what has not come to rest: each counts all that is recorded."""
_JOINED = " joined "
"""In the log of a node that has once taken part."""


def faults(world: World, say: Say) -> Told:
    """Everything that was planned, one after the other, in a world without nodes or jobs. When it returns, no node runs
    and the servers still do, so that what is recorded can be read."""
    steps = plan(world.options, world.left_out)
    say(f"{len(steps)} nemeses, {lasts_s(steps):.0f} s of faults and calm")
    _start(world)
    offset_s = time.time() - time.monotonic()
    began = time.time()
    fallen: list[str] = []
    with world.stream:
        bands = [_struck(world, step, fallen, say) for step in steps]
        world.heal()
        healed_at = time.time()
        say(_line("healed"))
        world.wait_until(lambda: world.active() == set(world.options.names), "all nodes to take part again")
        world.wait(world.options.calm_s)
    last_fire, restless = _rest(world, say)
    fallen += _fallen(world)
    for name, code in world.fleet.stop().items():
        world.exit_codes[name].append(code)
    return Told(
        bands=bands,
        began=began,
        healed_at=healed_at,
        last_fire=last_fire,
        wall_minus_monotonic_s=offset_s,
        exit_codes=world.exit_codes,
        fallen=fallen,
        restless=restless,
        left_out=_left_out(world),
    )


def _start(world: World) -> None:
    """All nodes, then the jobs."""
    for name in world.options.names:
        world.fleet.start(name)
    world.wait_until(lambda: world.active() == set(world.options.names), "all nodes to join")
    with world.connect() as connection:
        insert_jobs(connection, Random(f"jobs {world.options.seed}"), world.options)


def _struck(world: World, step: Step, fallen: list[str], say: Say) -> Band:
    """One strike, after its calm; notes who has fallen by itself since the last, and starts it again."""
    world.wait(step.calm_s)
    fallen += _fallen(world)
    # each has its own, so that whom it strikes does not hang on which others do
    rng = Random(f"{step.nemesis.name} {world.options.seed}")
    began = time.time()
    target = step.nemesis.strike(world, rng, step.holds_s)
    band = Band(step.nemesis.name, target, began, time.time())
    say(_line(f"{band.kind}{f' ({target})' if target else ''}, for {band.length_s:.1f} s"))
    return band


def _fallen(world: World) -> list[str]:
    """Who has ended though nobody had told it to; it is started again, as systemd would. That one is not meant which
    found a server away when it was just starting, and said so."""
    fallen: list[str] = []
    for name, code in world.fleet.ended().items():
        if code != _UNREACHABLE or _JOINED in world.fleet.last_log(name):
            fallen.append(f"{name} ended by itself with {code}")
        world.fleet.start(name)
    return fallen


def _rest(world: World, say: Say) -> tuple[float, Sequence[str]]:
    """Let nothing fire any more and all that is under way end: from when on nothing fires, and what is still on its way
    though nothing of it has moved for the patience."""
    with world.connect() as connection:
        last_fire = end_jobs(connection)
        left = list(on_its_way(connection, last_fire))
        moved_at = time.monotonic()
        while left and time.monotonic() - moved_at < world.options.patience_s:
            world.wait(_LOOK_S)
            before, left = left, list(on_its_way(connection, last_fire))
            moved_at = moved_at if left == before else time.monotonic()
    say(_line(f"no rest: {'; '.join(left)}" if left else "at rest"))
    return last_fire, left


def _left_out(world: World) -> dict[str, str]:
    """Which nemeses, and why."""
    wanted = world.options.nemeses or tuple(NEMESES)
    return {
        name: world.left_out[needs]
        for name in wanted
        if (needs := NEMESES[name].needs) is not None and needs in world.left_out
    }


def _line(text: str) -> str:
    return f"{datetime.now(UTC):%H:%M:%S}  {text}"
