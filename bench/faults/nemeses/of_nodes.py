"""Nodes and what they stand on: killed, stopped, restarted, with a wrong clock or a full disk."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import psutil

from bench.faults.clock import NodeClock
from bench.faults.disk import SmallDisk
from bench.faults.nemeses.nemesis import Nemesis
from bench.faults.world import World

_HOUR_S = 3600


def a_node(world: World, rng: Random) -> str:
    """One that runs."""
    return rng.choice(world.fleet.running)


def kill_node(world: World, rng: Random, holds_s: float) -> str:
    """SIGKILL; it is started again later."""
    name = a_node(world, rng)
    world.fleet.kill(name)
    world.hold(holds_s, lambda: world.fleet.start(name))
    return name


def pause_node(world: World, rng: Random, holds_s: float) -> str:
    """SIGSTOP and SIGCONT."""
    name = a_node(world, rng)
    world.fleet.pause(name)
    world.hold(holds_s, lambda: world.fleet.resume(name))
    return name


def kill_worker(world: World, rng: Random, holds_s: float) -> str:
    """SIGKILL to one worker process after the other, of any node."""
    pauses = 4
    for _ in range(pauses):
        if workers := world.fleet.workers(a_node(world, rng)):
            with suppress(psutil.NoSuchProcess):
                rng.choice(workers).kill()
        world.wait(holds_s / pauses)
    return ""


def restart_all(world: World, rng: Random, _: float) -> str:
    """SIGTERM to one node after the other, each when the one before takes part again."""
    names = world.fleet.running
    rng.shuffle(names)
    for name in names:
        world.exit_codes[name].append(world.fleet.terminate(name))
        world.fleet.start(name)
        world.wait_until(lambda name=name: name in world.active(), f"{name} to take part again")  # type: ignore[misc]
    return ""


def step_ahead(world: World, _: Random, holds_s: float) -> str:
    """An hour forward, and back."""
    return _step(world, _HOUR_S, holds_s)


def step_behind(world: World, _: Random, holds_s: float) -> str:
    """An hour back, and forward."""
    return _step(world, -_HOUR_S, holds_s)


def fill_disk(world: World, _: Random, holds_s: float) -> str:
    """No room for the journal of one node while it does not reach PostgreSQL, which is when it is written."""
    name, disk = _disk(world)
    link = world.links[name].postgres
    disk.fill()
    link.cut()
    try:
        world.hold(holds_s, link.mend)
    finally:
        disk.empty()
    return name


def _step(world: World, by_s: int, holds_s: float) -> str:
    name, clock = _clock(world)
    clock.step_to(by_s)
    world.hold(holds_s, lambda: clock.step_to(0))
    return name


def _clock(world: World) -> tuple[str, NodeClock]:
    assert world.clock is not None, "what the world is without is not struck"
    return world.clock


def _disk(world: World) -> tuple[str, SmallDisk]:
    assert world.disk is not None, "what the world is without is not struck"
    return world.disk


NEMESES = (
    Nemesis("node killed", kill_node, seconds=8),
    Nemesis("node paused briefly", pause_node, sessions=0.5),
    Nemesis("node paused for long", pause_node, sessions=5),
    Nemesis("workers killed", kill_worker, seconds=4),
    Nemesis("rolling restart", restart_all),
    Nemesis("clock an hour ahead", step_ahead, seconds=20, needs="clock"),
    Nemesis("clock an hour behind", step_behind, seconds=20, needs="clock"),
    Nemesis("disk full", fill_disk, seconds=12, needs="disk"),
)
