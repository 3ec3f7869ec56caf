"""How `shardkeeper dev` looks at the coordinator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from shardkeeper.domain.errors import Unreachable
from shardkeeper.ports.coordinator import Snapshot

KEPT_S: Final = 0.9


class Glance:
    """Reads once for all who ask within a second: each reading is a session of its own. ``monotonic``: seconds."""

    def __init__(self, observe: Callable[[], Snapshot], monotonic: Callable[[], float]) -> None:
        self._observe = observe
        self._monotonic = monotonic
        self._seen: Snapshot | None = None
        self._at = 0.0

    def __call__(self) -> Snapshot:
        """What was seen less than a second ago, or now. Raises Unreachable."""
        if self._seen is None or self._monotonic() > self._at + KEPT_S:
            self._seen, self._at = self._observe(), self._monotonic()
        return self._seen


NO_ZOOKEEPER: Final = "--standalone has no ZooKeeper"


def nothing_to_look_at() -> Snapshot:
    """The lone node keeps its coordinator to itself. Raises Unreachable at once."""
    raise Unreachable(NO_ZOOKEEPER)
