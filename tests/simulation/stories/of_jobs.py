"""What people write and order: short stories, each of which ends in the judgement of every promise."""

from __future__ import annotations

from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.world import World
from tests.simulation.stories.telling import SECOND, calm_for


def an_edit_that_no_node_has_heard_of(world: World) -> Calm:
    world.people.put_job("job", every=2 * SECOND)
    for machine in world.machines.values():
        machine.host.deaf = True
    world.run(16.0)
    world.people.put_job("job", every=3 * SECOND)
    world.run(6.2)
    return calm_for(world, 6.0)


def a_job_deleted_while_a_run_waits_for_another(world: World) -> None:
    world.people.put_job("job", every=SECOND, overlap="queue", parameters={"seconds": 5.0})
    world.run(4.0)
    world.people.delete_job("job")
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


def a_job_that_no_hint_tells_of(world: World) -> Calm:
    for machine in world.machines.values():
        machine.host.deaf = True
    world.people.put_job("job", every=SECOND)
    world.run(16.0)
    return calm_for(world, 5.0)


def a_job_that_comes_while_nobody_listens(world: World) -> Calm:
    world.run(0.5)  # between two beats, so that nobody else finds out
    world.cut_store()
    world.people.put_job("job", every=SECOND)
    world.run(0.02)
    world.heal_store()
    world.run(2.0)
    return calm_for(world, 5.0)


def an_edit_that_commits_after_a_later_one(world: World) -> Calm:
    """And after all nodes have read that one."""
    with world.people.transaction("job", every=SECOND):
        world.run(0.5)
        world.people.put_job("other", every=SECOND)
        world.run(1.0)
    world.run(2.0)
    return calm_for(world, 5.0)


def news_that_is_late(world: World) -> Calm:
    for machine in world.machines.values():
        machine.host.wire.slow_s = 0.5
    world.people.put_job("job", run_at=world.clock.now() + 0.02 * SECOND)
    return calm_for(world, 6.0, created_within_s=4.0)


def a_run_that_people_stop(world: World) -> None:
    world.people.put_job("job", parameters={"seconds": 60.0})
    world.people.submit("job", [{}])
    world.run(2.0)
    world.people.stop_run(1)
    world.run(20.0)


def nobody_has_the_labels(world: World) -> None:
    world.people.put_job("job", every=5 * SECOND, node_selector={"zone": "north"})
    world.run(30.0)


def a_node_that_comes_before_the_one_with_the_labels(world: World) -> None:
    """To a queue that has lain for long: nobody was there."""
    world.people.put_job("job", node_selector={"zone": "east"})
    for machine in world.machines.values():
        machine.kill()
    world.run(8.0)
    world.people.submit("job", [{}])
    world.run(30.0)
    world.machines["b"].start()
    world.run(12.0)
    world.machines["a"].start()
    world.run(20.0)


def the_only_node_for_it_has_a_wrong_clock(world: World) -> None:
    """The others have its labels not."""
    world.people.put_job("job", node_selector={"zone": "east"})
    world.machines["a"].step_clock(5.0)
    world.run(3.0)
    world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(30.0)


def a_job_that_moves_away_from_its_queue(world: World) -> None:
    """What was submitted to it asks for labels that a node has, and what it is by now for others."""
    world.people.put_job("job", node_selector={"zone": "east"}, parameters={"seconds": 6.0})
    world.run(1.0)
    world.people.submit("job", [{}] * 20)
    world.run(2.0)
    world.people.put_job("job", node_selector={"zone": "north"})
    world.run(60.0)


def a_queue_that_one_may_not_run_and_the_other_cannot(world: World) -> None:
    """The node with the labels has not the code, and the job asks for no labels by now."""
    world.people.put_impl("other", entrypoint="tasks:Other")
    world.machines["a"].host.cannot_run.add("tasks:Other")
    world.people.put_job("job", impl_spec="other", node_selector={"zone": "east"})
    world.run(1.0)
    world.people.submit("job", [{}] * 2)
    world.run(1.0)
    world.people.put_job("job", node_selector={})
    world.run(60.0)


def an_owner_without_room(world: World) -> Calm:
    world.people.put_job("job", parameters={"seconds": 15.0})
    for name in world.machines:
        world.people.store.order_workers(name, 1, "people")
    world.run(3.0)
    for _ in range(5):
        world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    return calm_for(world, 12.0)


def all_nodes_are_full(world: World) -> None:
    world.people.put_job("job", parameters={"seconds": 15.0})
    for name in world.machines:
        world.people.store.order_workers(name, 1, "people")
    world.run(3.0)
    for _ in range(8):
        world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(60.0)


def an_owner_that_is_slow(world: World) -> Calm:
    world.people.put_job("job", every=2 * SECOND, sharding_total_count=2, parameters={"seconds": 0.1})
    world.machines["b"].host.wire.slow_s = 0.8
    world.run(3.0)
    return calm_for(world, 20.0, created_within_s=2.0, at_owners=True)


def clocks_that_are_ahead(world: World) -> Calm:
    world.people.put_job("job", every=SECOND)
    for machine in world.machines.values():
        machine.step_clock(1.5)
    world.run(4.0)
    return calm_for(world, 8.0)
