"""How a story is told: to a few nodes, which are healed and come to rest before every promise is judged."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.checker.judge import judge
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.seeded import come_to_rest
from shardkeeper.simulation.surroundings import Defect
from shardkeeper.simulation.tasks import Weather
from shardkeeper.simulation.world import World

SECOND = timedelta(seconds=1)
Story = Callable[[World], Calm | None]
"""What it gives back is a stretch in which fires come on time all the same."""


def promises_broken(story: Story, rules: Rules | None = None) -> set[str]:
    """Tell it to two nodes, one of them in the east, heal them, let them rest; the checks that found something."""
    plans = [MachinePlan("a", "a", labels={"zone": "east"}), MachinePlan("b", "b")]
    world = World(1, plans, rules=rules)
    world.tasks.weather = Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    world.run(0.337)
    world.people.put_impl()
    world.start_all()
    world.run(15.0)
    try:
        calm = story(world)
        world.heal()
        come_to_rest(world)
    except (Defect, AssertionError):
        return {"defects"}
    return {broken.promise for broken in judge(world, calm)}


def calm_for(
    world: World, seconds: float, created_within_s: float = 0.15, *, at_owners: bool = False
) -> Calm:
    """So much time passes; the next second's fires are not judged."""
    since = world.clock.now()
    world.run(seconds)
    return Calm(since, world.clock.now() - SECOND, created_within_s, at_owners)


def every_second(world: World) -> None:
    """Six jobs of one item."""
    for number in range(6):
        world.people.put_job(f"job-{number}", every=SECOND, parameters={"seconds": 0.1})
    world.run(3.0)


def holder_of_a_minute(world: World, **columns: Any) -> str:
    """The machine on which a task runs that takes a minute."""
    world.people.put_job("job", parameters={"seconds": 60.0}, **columns)
    world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(3.0)
    return world.witnesses.all[0].node_id
