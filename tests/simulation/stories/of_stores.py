"""A store that is away, or slow to answer: short stories, each of which ends in the judgement of every promise."""

from __future__ import annotations

from shardkeeper.simulation.checker.calm import Calm
from shardkeeper.simulation.world import World
from tests.simulation.stories.telling import SECOND, every_second, holder_of_a_minute


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


def a_takeover_that_arrives_late(world: World) -> None:
    """It was sent when a beat had been seen for a whole lease; before it arrives, the node beats again."""
    leases = {lease.who.node_id: lease for lease in world.database.leases.values()}
    dead, taker = leases["a"], leases["b"]
    seen = dead.beat
    world.run(3.0)
    world.people.store.take_over(taker.who.incarnation, dead.who.incarnation, seen)
    world.run(3.0)


def the_store_is_away_for_a_moment(world: World) -> Calm:
    every_second(world)
    since = world.clock.now()
    world.cut_store()
    world.run(3.0)
    world.heal_store()
    world.run(12.0)
    return Calm(since, world.clock.now() - SECOND, created_within_s=world.conditions.on_time_window_s)


def a_process_that_dies_with_outcomes_nobody_took(world: World) -> None:
    world.people.put_job("job", parameters={"seconds": 2.0})
    world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(1.0)
    world.cut_store()
    world.run(8.0)
    for machine in world.machines.values():
        machine.kill()
    world.start_all()
    world.heal_store()
    world.run(20.0)


def the_store_is_away_for_longer_than_a_lease(world: World) -> None:
    world.people.put_job("job", parameters={"seconds": 12.0})
    world.people.order("trigger", lambda store: store.trigger("job", {}, None, None, "people"))
    world.run(2.0)
    # b has read a's last beat
    world.machines["a"].cut_store()
    world.run(1.2)
    world.cut_store()
    world.run(9.0)
    for name in ("b", "a"):
        world.machines[name].heal_store()
        world.run(1.5)
    world.run(20.0)


def a_holder_that_is_cut_off(world: World) -> None:
    holder = holder_of_a_minute(world, on_lease_loss="stop")
    world.machines[holder].cut_store()
    world.run(12.0)
    world.machines[holder].heal_store()
    world.run(10.0)


def a_holder_that_is_cut_off_before_it_hears_of_its_beat(world: World) -> None:
    """Its beat has arrived, and the answer is long on its way."""
    holder = world.machines[holder_of_a_minute(world, on_lease_loss="stop")]
    holder.host.wire.late_s["beat"] = 3.0
    world.run(2.5)
    holder.cut_store()
    world.run(12.0)
    holder.heal_store()
    world.run(10.0)
