"""Whether a node calls itself busy: at once when it fills up, idle again only after a while with room.

Every other node reads each change of a node's znode, so bursts of a schedule must not be told one by one.
"""

from __future__ import annotations

from shardkeeper.ports.coordinator import Load


class LoadGauge:
    """``busy_at``: percent of the capacity; ``dwell_s``: how long there must be room."""

    def __init__(self, busy_at: int, dwell_s: float = 5.0) -> None:
        self._busy_at = busy_at
        self._dwell_s = dwell_s
        self._load = Load.IDLE
        self._full_at = 0.0

    def see(self, held: int, capacity: int, mono: float) -> Load | None:
        """``held`` attempts of ``capacity`` at this monotonic second; the load where it changed, else None."""
        before = self._load
        if held * 100 >= self._busy_at * capacity:
            self._load, self._full_at = Load.BUSY, mono
        elif mono - self._full_at >= self._dwell_s:
            self._load = Load.IDLE
        return None if self._load is before else self._load
