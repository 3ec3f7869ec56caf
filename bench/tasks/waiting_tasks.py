"""Tasks that take their time and nothing else."""

from __future__ import annotations

import threading
from typing import Any

from shardkeeper import DistributeTask, ShardContext


class Waits(DistributeTask):
    """Takes as many seconds as the parameter ``seconds`` says."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        threading.Event().wait(context.parameters["seconds"])
