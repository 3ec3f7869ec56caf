"""The task of schedules that are measured beside others'."""

from __future__ import annotations

from typing import Any

from bench.beginnings import tell
from shardkeeper import DistributeTask, ShardContext


class Tell(DistributeTask):
    """Tells that it began, and does nothing else. Its job's name ends with the number of the schedule."""

    def initialize(self, context: ShardContext) -> None:
        tell(int(context.job_name.rpartition("-")[2]), context.fire_time.timestamp())

    def calculate(self, context: ShardContext, data: Any) -> None:
        return None
