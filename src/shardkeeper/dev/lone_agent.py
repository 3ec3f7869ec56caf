"""One node that needs no ZooKeeper: `python -m shardkeeper.dev.lone_agent`, started by `shardkeeper dev --standalone`.

Everything else is as in `shardkeeper agent`. The coordinator lives in this process's memory, so no other node can
ever join it.
"""

from __future__ import annotations

import signal
from types import FrameType
from typing import Final

from shardkeeper.dev.real_time import ThreadScheduler
from shardkeeper.memory.coordinator import MemoryCoordinator
from shardkeeper.memory.ensemble import MemoryEnsemble
from shardkeeper.node.compose import make_daemon
from shardkeeper.node.compose_operations import (
    check_schema,
    configure_log,
    read_settings,
    tune_interpreter,
)

SESSION_TIMEOUT_S: Final = 0.1
"""There is no other session whose end the node would have to wait for before it publishes a view."""


def main() -> None:
    """Run the node until SIGTERM."""
    settings = read_settings()
    configure_log(settings)
    check_schema(settings)
    ensemble = MemoryEnsemble(ThreadScheduler(), SESSION_TIMEOUT_S)
    daemon = make_daemon(settings, MemoryCoordinator(ensemble))
    tune_interpreter()

    def stop(number: int, frame: FrameType | None) -> None:
        daemon.stop()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    daemon.run()


if __name__ == "__main__":
    main()
