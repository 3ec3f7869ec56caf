"""The ensemble: its leader, its quorum, all of it."""

from __future__ import annotations

from random import Random

from bench.faults.nemeses.nemesis import Nemesis
from bench.faults.world import World


def kill_leader(world: World, _: Random, holds_s: float) -> str:
    """SIGKILL to the member that leads; it is started again later."""
    members = world.zookeeper
    world.wait_until(members.leader, "a leader of the ensemble")
    leader = members.leader()
    assert leader is not None, "it was just there"
    leader.kill()
    world.hold(holds_s, members.start)
    return f"zookeeper-{members.members.index(leader) + 1}"


def lose_quorum(world: World, rng: Random, holds_s: float) -> str:
    """SIGKILL to two of three."""
    for member in rng.sample(world.zookeeper.members, 2):
        member.kill()
    world.hold(holds_s, world.zookeeper.start)
    return ""


def freeze(world: World, _: Random, holds_s: float) -> str:
    """SIGSTOP to all members: connections stay open and silent."""
    world.zookeeper.pause()
    world.hold(holds_s, world.zookeeper.resume)
    world.zookeeper.wait_until_serving()
    return ""


def kill_all(world: World, _: Random, holds_s: float) -> str:
    """SIGKILL to all members; they are started again later, with their data."""
    world.zookeeper.kill()
    world.hold(holds_s, world.zookeeper.start)
    return ""


NEMESES = (
    Nemesis("ensemble's leader killed", kill_leader, seconds=8),
    Nemesis("quorum lost", lose_quorum, seconds=15),
    Nemesis("ensemble frozen", freeze, sessions=2),
    Nemesis("ensemble restarted", kill_all),
    Nemesis("ZooKeeper away", kill_all, outages=1),
)
