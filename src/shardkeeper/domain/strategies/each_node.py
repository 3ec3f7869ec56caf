"""What every node must do: one item for each eligible node, in order of node_id, whatever the job's own number."""

from __future__ import annotations

from shardkeeper.domain.roster import Roster


def assign(roster: Roster) -> tuple[str, ...]:
    """The owner of each item; there are as many items as nodes. A run pins what this says when it is created."""
    return roster.node_ids
