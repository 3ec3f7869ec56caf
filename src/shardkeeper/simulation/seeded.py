"""One seed: a cluster is drawn, suffers, is healed, comes to rest, and is judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from shardkeeper.memory.history import What
from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.checker.judge import judge
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.conditions import Conditions
from shardkeeper.simulation.crowd import Crowd
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.nemesis import Nemesis
from shardkeeper.simulation.submitters import Submitters
from shardkeeper.simulation.surroundings import Defect
from shardkeeper.simulation.tasks import Weather
from shardkeeper.simulation.world import World

LONGEST_STORM_S = 400.0
SETTLING_S = 25.0
"""From the healing to when all is expected to be calm: two sessions, leases, restarts, and a backlog of work."""
CALM_S = 10.0
STALLED_S = 60.0
"""Without any attempt coming to an end: nothing moves any more."""


@dataclass(frozen=True, slots=True)
class Story:
    """What became of one seed."""

    seed: int
    events: int
    virtual_s: float
    broken: tuple[Broken, ...]
    world: World


def live_through(
    seed: int, events: int = 2_000, rules: Rules | None = None, weather: Weather | None = None
) -> Story:
    """The same seed, number of events and code: the same story to the last microsecond."""
    world = _draw_world(seed, rules)
    if weather is not None:
        world.tasks.weather = weather
    rng = world.rng
    crowd = Crowd(world, mean_pause_s=rng.choice((0.8, 2.0, 6.0)))
    nemesis = Nemesis(world, mean_pause_s=rng.choice((1.0, 3.0, 8.0)))
    submitters = Submitters(world, mean_pause_s=rng.choice((0.7, 2.0, 5.0)))
    try:
        broken = _live(world, (crowd, submitters), nemesis, events)
    except Defect as defect:
        broken = [Broken("defects", str(defect))]
    except AssertionError as defect:
        broken = [Broken("defects", f"an assertion failed: {defect!r}")]
    return Story(seed, world.events, world.seconds, tuple(broken), world)


def _draw_world(seed: int, rules: Rules | None) -> World:
    # without work ahead of the workers it is known exactly how much a node may take
    world = World(seed, _draw_plans(seed), Conditions(ahead_s=0.1 if seed % 2 else 0.0), rules)
    world.clock.advance(0.1 + world.rng.random())
    return world


def _draw_plans(seed: int) -> list[MachinePlan]:
    """From the seed itself, so that the world's own randomness begins with the world."""
    number = (2, 3, 3, 4, 5)[seed % 5]
    plans = [
        MachinePlan(
            f"n{index}",
            f"n{index}",
            weight=2.0 if (seed + index) % 7 == 0 else 1.0,
            labels={"zone": "east" if index % 2 else "west"},
            capacity=2 + (seed + index) % 4,
        )
        for index in range(1, number + 1)
    ]
    if seed % 6 == 0:
        # somebody has copied a machine: two daemons of one node_id
        plans.append(MachinePlan("twin", "n1", labels={"zone": "east"}, capacity=2))
    return plans


def _live(world: World, people: tuple[Crowd, Submitters], nemesis: Nemesis, events: int) -> list[Broken]:
    crowd, submitters = people
    world.start_all()
    # a third of the worlds has clocks alone, and a third mostly work on demand
    weight = world.seed % 3
    crowd.begin(jobs=world.rng.randint(3, 8) if weight else world.rng.randint(1, 2))
    if weight != 1:
        submitters.begin(jobs=world.rng.randint(1, 3))
    nemesis.begin()
    while world.events < events and world.seconds < LONGEST_STORM_S:
        world.run(0.5)
    crowd.finish()
    submitters.finish()
    nemesis.stop()
    world.run_until(lambda: crowd.idle, 10.0)
    healed = world.clock.now()
    world.run(SETTLING_S + CALM_S)
    calm = Calm(healed + timedelta(seconds=SETTLING_S), healed + timedelta(seconds=SETTLING_S + CALM_S))
    world.run(1.0)
    come_to_rest(world)
    return judge(world, calm)


def come_to_rest(world: World) -> None:
    """No more fires; what is open ends, however much it is, and the sweep passes by."""
    # nobody could say which came first of two things in one microsecond
    world.run(0.001)
    for name in world.people.jobs:
        world.people.put_job(name, enabled=False)
    asleep = world.clock.now()

    def at_rest() -> bool:
        return not world.database.open_runs and world.database.sweep.watermark > asleep

    while not world.run_until(at_rest, STALLED_S):
        ended = [entry.at for entry in world.database.history.of(What.ENDED, What.CLOSED_PENDING, What.LOST)]
        if not ended or (world.clock.now() - ended[-1]).total_seconds() > STALLED_S:
            return
