"""Shardkeeper: a distributed job scheduler on ZooKeeper and PostgreSQL.

What tasks need is loaded at once. The client is loaded when it is first asked for (PEP 562): this module is imported by
every worker process, for which pydantic and psycopg would take longer than all the rest.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from shardkeeper.task import CalculateValue, Cancel, DistributeTask, RetryLater, ShardContext, ValidationError

if TYPE_CHECKING:
    from shardkeeper.client import (
        Client,
        Refused,
        Run,
        RunFailed,
        RunStopped,
        ServerUnavailable,
        ShardkeeperError,
        WaitTimeout,
    )

__all__ = [
    "CalculateValue",
    "Cancel",
    "Client",
    "DistributeTask",
    "Refused",
    "RetryLater",
    "Run",
    "RunFailed",
    "RunStopped",
    "ServerUnavailable",
    "ShardContext",
    "ShardkeeperError",
    "ValidationError",
    "WaitTimeout",
]

_CLIENT = "shardkeeper.client"
_OF_CLIENT = frozenset(
    (
        "Client",
        "Refused",
        "Run",
        "RunFailed",
        "RunStopped",
        "ServerUnavailable",
        "ShardkeeperError",
        "WaitTimeout",
    )
)


def __getattr__(name: str) -> Any:
    if name not in _OF_CLIENT:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(_CLIENT), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_OF_CLIENT})
