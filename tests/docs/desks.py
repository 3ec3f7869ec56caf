"""A command line over a story, for documentation's examples."""

from __future__ import annotations

from shardkeeper.node.operations.health import Surroundings
from tests.cli.conftest import Desk
from tests.contract.story import Story


def desk_over(story: Story) -> Desk:
    """The two nodes of the story are in the view."""
    around = Surroundings(
        schema=lambda: "0001",
        listen=lambda: None,
        now=story.world.now,
        lease_s=4.0,
        session_timeout_s=6.0,
        on_time_window_s=30.0,
        allowed_modules=("acme",),
        slack="to #jobs by token",
        open_doors=(),
    )
    desk = Desk(story, around)
    desk.publish("node-a", "node-b")
    return desk
