"""What becomes of an item whose attempt was lost with its incarnation."""

from __future__ import annotations

from enum import StrEnum

from shardkeeper.domain.specs import JobSpec, Strategy


class Takeover(StrEnum):
    """What follows on a LOST attempt."""

    REISSUE = "reissue"
    """The next attempt becomes PENDING, with the checkpoint."""
    STOP = "stop"
    """The run is to be stopped: the item closes as STOPPED."""
    CLOSE = "close"
    """The item closes as LOST, and the run fails for it."""


def after_loss(spec: JobSpec, takeovers_before: int, stop_requested: bool) -> Takeover:
    """What becomes of the item. ``takeovers_before``: lost attempts of the item that were taken over before this one.

    ``max_takeovers`` takeovers are made for one item of a run, so the next loss closes it. Items of ``each_node``
    belong to their node and are never taken over.
    """
    if stop_requested:
        return Takeover.STOP
    if not spec.failover or spec.sharding_strategy is Strategy.EACH_NODE:
        return Takeover.CLOSE
    return Takeover.REISSUE if takeovers_before < spec.max_takeovers else Takeover.CLOSE
