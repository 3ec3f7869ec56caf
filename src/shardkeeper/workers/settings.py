"""What the node's composition tells its workers."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field

from shardkeeper.tasks.node_settings import Told

_KEPT_FROM_TASKS = (
    "SHARDKEEPER_DATABASE_URL",
    "SHARDKEEPER_ZOOKEEPER__",
    "SHARDKEEPER_SLACK__",
    "SHARDKEEPER_HEARTBEAT_URL",
    "SHARDKEEPER_TASKS__CONNECTIONS",
    "CREDENTIALS_DIRECTORY",
    "NOTIFY_SOCKET",
    "WATCHDOG_",
    "LISTEN_",
)


def task_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The daemon's environment less its own credentials and its talk with systemd: tasks are not the daemon."""
    return {name: value for name, value in environment.items() if not name.startswith(_KEPT_FROM_TASKS)}


@dataclass(frozen=True, slots=True)
class WorkersSettings:
    """Times in seconds."""

    capacity: int = field(default_factory=lambda: 2 * (os.cpu_count() or 1))
    """Attempts in workers of their own that may run at once; as many again share the one process for `thread`."""
    minimum: int = 0
    """Worker processes kept warm from the start; more are started as work comes."""
    allowed_modules: tuple[str, ...] = ()
    script_dirs: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: task_environment(os.environ))
    secrets: tuple[str, ...] = ()
    """Texts to be masked wherever a task lets them out."""
    built_in: Told = field(default_factory=Told, repr=False)
    """What the built-in tasks are allowed here; over the pipe, as the environment is seen by all that a task starts."""
    python: str = sys.executable
    import_timeout_s: float = 30.0
    start_timeout_s: float = 30.0
    timeout_grace_s: float = 2.0
    """From the interruption of an attempt that is out of time to its killing."""
    idle_s: float = 60.0
    """Workers above the minimum that have had nothing to do for so long end."""
    restart_intensity: int = 5
    """So many deaths of workers, by no task's doing, in ``restart_period_s``: beyond that the node takes no work for a
    while.
    """
    restart_period_s: float = 10.0
