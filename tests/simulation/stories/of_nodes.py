"""Nodes that die, hang and leave: short stories, each of which ends in the judgement of every promise."""

from __future__ import annotations

from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.world import World
from tests.simulation.stories.telling import SECOND, calm_for, every_second, holder_of_a_minute


def a_node_that_leaves_a_backlog(world: World) -> None:
    """What it gives back unbegun is older than what waits."""
    world.people.put_job("work")
    world.people.submit("work", [{"seconds": 5.0}] * 20)
    world.run(1.0)
    world.machines["a"].drain(0.1)
    world.run(20.0)


def a_creator_that_hangs(world: World) -> Calm:
    world.people.put_job("job", every=SECOND, sharding_total_count=2)
    world.run(3.0)
    since = world.clock.now()
    for machine in world.machines.values():
        machine.pause()
        world.run(2.5)
        machine.resume()
        world.run(5.0)
    return Calm(since, world.clock.now() - SECOND, created_within_s=0.5)


def a_node_that_dies(world: World) -> Calm:
    every_second(world)
    world.machines["a"].kill()
    return calm_for(world, 20.0, created_within_s=world.conditions.on_time_window_s)


def a_node_that_dies_without_the_coordinator(world: World) -> Calm:
    every_second(world)
    world.ensemble.outage()
    world.run(2.0)
    world.machines["a"].kill()
    world.run(8.0)
    return calm_for(world, 8.0)


def all_nodes_restart_without_the_coordinator(world: World) -> Calm:
    every_second(world)
    world.ensemble.outage()
    world.run(2.0)
    for machine in world.machines.values():
        machine.kill()
    world.start_all()
    world.run(10.0)
    return calm_for(world, 8.0)


def a_drain_without_the_coordinator(world: World) -> Calm:
    """A fire is due between the beat at which a reads the order and that at which b reads of it."""
    world.machines["a"].kill()
    world.run(8.5)
    world.machines["a"].start()
    world.run(12.0)
    every_second(world)
    world.ensemble.outage()
    world.run(2.0)
    since = world.clock.now()
    world.machines["b"].host.deaf = True
    world.people.store.order_drain("a", True, "people")
    world.run(12.0)
    calm = Calm(since, world.clock.now() - SECOND)
    world.people.store.order_drain("a", False, "people")
    return calm


def a_node_that_comes_after_the_data_was_lost(world: World) -> Calm:
    every_second(world)
    world.machines["b"].kill()
    world.run(10.0)
    world.ensemble.wipe()
    world.run(10.0)
    world.machines["b"].start()
    world.run(10.0)
    return calm_for(world, 8.0, at_owners=True)


def a_leave_while_a_task_runs(world: World) -> None:
    world.people.put_job("job", parameters={"seconds": 15.0})
    world.people.submit("job", [{}] * 8)
    world.run(2.0)
    world.machines["a"].drain(30.0)
    world.run(25.0)


def a_leave_that_does_not_wait_for_its_task(world: World) -> None:
    world.people.put_job("job", parameters={"seconds": 15.0})
    world.people.submit("job", [{}] * 8)
    world.run(2.0)
    world.machines["a"].drain(2.0)
    world.run(20.0)


def a_leave_that_does_not_wait_for_a_task_that_fails(world: World) -> None:
    failing = {"seconds": 6.0, "does": "fails"}
    world.people.put_job("job", max_attempts=2, parameters=failing)
    world.people.submit("job", [{}] * 8)
    world.run(2.0)
    world.machines["a"].drain(1.0)
    world.run(30.0)


def a_holder_that_is_paused(world: World) -> None:
    holder = holder_of_a_minute(world)
    world.machines[holder].pause()
    world.run(9.0)
    world.machines[holder].resume()
    world.run(10.0)


def a_node_that_learns_late_that_it_is_dead(world: World) -> None:
    """It finds work that nobody else has room for, and has room."""
    world.people.put_job("job", parameters={"seconds": 4.0})
    for name in world.machines:
        world.people.store.order_workers(name, 1, "people")
    world.run(3.0)
    world.machines["a"].pause()
    for _ in range(12):
        world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(8.0)
    world.machines["a"].host.wire.late_s["beat"] = 2.0
    world.machines["a"].resume()
    world.run(30.0)


def a_run_whose_holders_die(world: World) -> None:
    holder_of_a_minute(world, max_takeovers=1)
    for _ in range(3):
        (holder,) = {one.node_id for one in world.witnesses.all if one.ended is None} or {"a"}
        world.machines[holder].kill()
        world.machines[holder].start()
        world.run(12.0)
