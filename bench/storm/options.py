"""How big a storm is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """``node_kills``, ``worker_kills``: at most, one in about ``kill_every_s``. ``patience_s``: how long nothing may
    end before the storm gives up waiting and judges what there is. ``seed``: of what is submitted and of whom is
    killed; what the machine makes of it differs each time."""

    tasks: int = 100_000
    nodes: int = 3
    workers: int = 2
    node_kills: int = 20
    worker_kills: int = 60
    kill_every_s: float = 1.0
    seed: int = 1
    patience_s: float = 180.0
