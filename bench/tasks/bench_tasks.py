"""Tasks that do nothing: what is measured is everything around them."""

from __future__ import annotations

import socket
import time
from typing import Any

from shardkeeper import DistributeTask, ShardContext


class Noop(DistributeTask):
    """Returns nothing."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        return None


class Ping(DistributeTask):
    """Tells the board whose path is the parameter ``board`` when it began (bench/pings.py)."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        now = time.time_ns()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as link:
            link.sendto(str(now).encode(), context.parameters["board"])
