"""Short stories for guards that storms meet too seldom: each ends in the judgement of every promise."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from shardkeeper.memory.rules import Rules
from shardkeeper.simulation.checker.judge import judge
from shardkeeper.simulation.machine_plan import MachinePlan
from shardkeeper.simulation.seeded import come_to_rest
from shardkeeper.simulation.surroundings import Defect
from shardkeeper.simulation.tasks import Weather
from shardkeeper.simulation.world import World

SECOND = timedelta(seconds=1)
Story = Callable[[World], None]


def promises_broken(story: Story, rules: Rules | None = None) -> set[str]:
    """Tell the story to two nodes, heal them, let them rest; the checks that found something."""
    world = World(1, [MachinePlan(name, name, capacity=4) for name in ("a", "b")], rules=rules)
    world.tasks.weather = Weather(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    world.run(0.337)
    world.people.put_impl()
    world.start_all()
    world.run(15.0)
    try:
        story(world)
        world.heal()
        come_to_rest(world)
    except Defect:
        return {"defects"}
    return {broken.promise for broken in judge(world)}


def an_edit_that_no_node_has_heard_of(world: World) -> None:
    world.people.put_job("job", every=2 * SECOND)
    for machine in world.machines.values():
        machine.host.deaf = True
    world.run(16.0)
    world.people.put_job("job", every=3 * SECOND)
    world.run(12.0)


def a_job_deleted_while_a_run_waits_for_another(world: World) -> None:
    world.people.put_job("job", every=SECOND, overlap="queue", parameters={"seconds": 5.0})
    world.run(4.0)
    world.people.delete_job("job")
    world.run(20.0)


def a_claim_whose_answer_is_lost(world: World) -> None:
    world.people.put_job("job", sharding_total_count=3, every=1_000 * SECOND)
    for machine in world.machines.values():
        machine.host.wire.lose["claim"] = 1
    world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(20.0)


def a_pull_whose_answer_is_lost(world: World) -> None:
    world.people.put_job("work")
    for machine in world.machines.values():
        machine.host.wire.lose["pull"] = 1
    world.people.submit("work", [{}, {}, {}])
    world.run(20.0)


def a_pause_just_before_a_slow_creation(world: World) -> None:
    world.people.put_job("job", every=2 * SECOND)
    world.people.put_job("other", every=2 * SECOND)
    world.run(4.0)
    for machine in world.machines.values():
        machine.host.wire.slow_s = 1.5
    for _ in range(8):
        world.run(2.05 - world.seconds % 2)
        world.people.pause("job")
        world.people.put_job("other", enabled=False)
        world.run(1.5)
        world.people.resume("job")
        world.people.put_job("other", enabled=True)


def a_node_that_leaves_a_backlog(world: World) -> None:
    """What it gives back unbegun is older than what waits."""
    world.people.put_job("work")
    world.people.submit("work", [{"seconds": 5.0}] * 20)
    world.run(1.0)
    world.machines["a"].drain(0.1)
    world.run(20.0)


def a_takeover_that_arrives_late(world: World) -> None:
    """It was sent when a beat had been seen for a whole lease; before it arrives, the node beats again."""
    leases = {lease.who.node_id: lease for lease in world.database.leases.values()}
    dead, taker = leases["a"], leases["b"]
    seen = dead.beat
    world.run(3.0)
    world.people.store.take_over(taker.who.incarnation, dead.who.incarnation, seen)
    world.run(3.0)
