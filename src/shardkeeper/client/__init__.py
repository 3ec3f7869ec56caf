"""Floor 4: the client, for programs that submit work and wait for it. It knows a port and the domain alone."""

from __future__ import annotations

from shardkeeper.client.client import Client
from shardkeeper.client.errors import RunError, RunFailed, RunStopped, ServerUnavailable, WaitTimeout
from shardkeeper.client.run import Run, RunProgress, RunValue
from shardkeeper.domain.errors import Refused, SettingsInvalid, ShardkeeperError
from shardkeeper.domain.runs import RunStatus

__all__ = [
    "Client",
    "Refused",
    "Run",
    "RunError",
    "RunFailed",
    "RunProgress",
    "RunStatus",
    "RunStopped",
    "RunValue",
    "ServerUnavailable",
    "SettingsInvalid",
    "ShardkeeperError",
    "WaitTimeout",
]
