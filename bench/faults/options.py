"""How big a run of faults is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Options:
    """All that a run is drawn from; what the machine makes of it differs each time.

    ``seed``: of the jobs, of what is submitted, and of what is struck in which order. ``jobs``: scheduled ones.
    ``submissions_per_s``: tasks submitted in a second, about. ``nemeses``: names of those that strike, all when empty.
    ``scale``: of how long each holds (1: as its own docstring says); ``outage_s``: how long a store is away entirely,
    not scaled; ``calm_s``: from one being healed to the next strike, about. ``session_timeout_s``,
    ``on_time_window_s``, ``statement_timeout_s``: the nodes' settings. ``patience_s``: how long anything may take that
    has to come by itself, such as all nodes taking part, or everything having ended.
    """

    seed: int = 1
    nodes: int = 5
    workers: int = 8
    jobs: int = 300
    submissions_per_s: float = 20.0
    nemeses: tuple[str, ...] = ()
    scale: float = 1.0
    outage_s: float = 60.0
    calm_s: float = 5.0
    session_timeout_s: float = 6.0
    on_time_window_s: float = 30.0
    statement_timeout_s: float = 10.0
    patience_s: float = 180.0

    @property
    def names(self) -> tuple[str, ...]:
        """The nodes'."""
        return tuple(f"faults-{number}" for number in range(1, self.nodes + 1))
