"""The links between one node and its stores: cut, flapping, half open, silent; and all nodes' link to Slack."""

from __future__ import annotations

from random import Random

from bench.faults.links import Bundle
from bench.faults.nemeses.nemesis import Nemesis
from bench.faults.nemeses.of_nodes import a_node
from bench.faults.world import World

_FLAP_S = 1.5
"""The longest that a flapping link stays as it is."""


def cut_postgres(world: World, rng: Random, holds_s: float) -> str:
    """PostgreSQL is away for one node, which ZooKeeper still sees."""
    name = a_node(world, rng)
    _cut(world, world.links[name].postgres, holds_s)
    return name


def cut_zookeeper(world: World, rng: Random, holds_s: float) -> str:
    """ZooKeeper is away for one node, which still beats in PostgreSQL."""
    name = a_node(world, rng)
    _cut(world, world.links[name].zookeeper, holds_s)
    return name


def expire_session(world: World, rng: Random, holds_s: float) -> str:
    """The links to all members stay open and carry nothing, for longer than the session."""
    name = a_node(world, rng)
    link = world.links[name].zookeeper
    link.stall()
    world.hold(holds_s, link.mend)
    return name


def flap(world: World, rng: Random, holds_s: float) -> str:
    """The links to both stores of one node, cut and mended again and again."""
    name = a_node(world, rng)
    links = world.links[name]
    left_s = holds_s
    while left_s > 0:
        down_s, up_s = rng.uniform(0.1, _FLAP_S), rng.uniform(0.1, _FLAP_S)
        rng.choice((links.postgres, links.zookeeper)).cut()
        world.hold(down_s, links.mend)
        world.wait(up_s)
        left_s -= down_s + up_s
    return name


def lose_answers_of_postgres(world: World, rng: Random, holds_s: float) -> str:
    """What one node asks of PostgreSQL is done, and it does not learn so."""
    name = a_node(world, rng)
    _lose_answers(world, world.links[name].postgres, holds_s)
    return name


def lose_answers_of_zookeeper(world: World, rng: Random, holds_s: float) -> str:
    """The same with ZooKeeper: its pings arrive, so its session lives."""
    name = a_node(world, rng)
    _lose_answers(world, world.links[name].zookeeper, holds_s)
    return name


def cut_slack(world: World, _: Random, holds_s: float) -> str:
    """Nobody reaches Slack."""
    world.slack_link.cut()
    world.hold(holds_s, world.slack_link.mend)
    return ""


def _cut(world: World, link: Bundle, holds_s: float) -> None:
    link.cut()
    world.hold(holds_s, link.mend)


def _lose_answers(world: World, link: Bundle, holds_s: float) -> None:
    link.lose_answers()
    world.hold(holds_s, link.mend)


NEMESES = (
    Nemesis("link to PostgreSQL cut", cut_postgres, seconds=12),
    Nemesis("link to ZooKeeper cut", cut_zookeeper, sessions=2),
    Nemesis("session expired", expire_session, sessions=2.5),
    Nemesis("links flapping", flap, seconds=12),
    Nemesis("link to PostgreSQL half open", lose_answers_of_postgres, seconds=12),
    Nemesis("link to ZooKeeper half open", lose_answers_of_zookeeper, sessions=2),
    Nemesis("Slack away", cut_slack, seconds=15),
)
