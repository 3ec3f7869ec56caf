"""The daemon ends its parts in the reverse order of their start, and waits for lanes that hang only once."""

from __future__ import annotations

import threading
from typing import Any, cast
from unittest.mock import MagicMock

from shardkeeper.node.daemon import STOP_S, Daemon, Machinery


class HangingLane:
    """Does not end before its patience, or a twentieth of a second, is over."""

    def __init__(self, stopped: list[tuple[HangingLane, float]]) -> None:
        self._stopped = stopped

    def start(self) -> None:
        """Nothing hangs yet."""

    def stop(self, timeout_s: float) -> None:
        self._stopped.append((self, timeout_s))
        threading.Event().wait(min(timeout_s, 0.05))


def test_lanes_that_hang_share_one_patience_and_the_last_started_is_stopped_first() -> None:
    stopped: list[tuple[HangingLane, float]] = []
    lanes = [HangingLane(stopped), HangingLane(stopped), HangingLane(stopped)]
    other = [cast("Any", MagicMock()) for _ in range(8)]
    machinery = cast("Any", Machinery)(*other[:3], lanes, *other[3:])
    daemon = Daemon(machinery, other[7], grace_s=1.0)
    daemon.ended()
    daemon.run()
    assert [lane for lane, _ in stopped] == lanes[::-1]
    assert sum(timeout_s for _, timeout_s in stopped) < 3 * STOP_S - 0.1
