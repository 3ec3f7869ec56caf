"""What `shardkeeper dev` was asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from shardkeeper.domain.errors import ShardkeeperError


class DevFailed(ShardkeeperError):
    """`shardkeeper dev` cannot go on."""


@dataclass(frozen=True, slots=True)
class DevOptions:
    """``seconds``: how long to watch once all nodes are up, None until Ctrl-C. ``state``: where everything is kept
    between runs. ``live``: standard output is a terminal."""

    nodes: int
    seconds: float | None
    fresh: bool
    standalone: bool
    jobspecs: Path
    state: Path
    live: bool
