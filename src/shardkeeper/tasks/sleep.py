"""``sleep``: takes its time, tells how far it is, and ends as soon as it is asked to."""

from __future__ import annotations

import time

from shardkeeper.task import DistributeTask, ShardContext
from shardkeeper.tasks.parameters import Parameters

LONGEST_S = 30 * 86_400.0
SLICE_S = 0.1
"""How long a request to stop may go unnoticed."""


class Sleep(DistributeTask):
    """``parameters.seconds``; the result is ``{"slept_s": ...}``."""

    def initialize(self, context: ShardContext) -> float:
        return Parameters(context.parameters).number("seconds", 0, LONGEST_S)

    def calculate(self, context: ShardContext, data: float) -> dict[str, float]:
        began = time.monotonic()
        slept_s = 0.0
        while slept_s < data and not context.cancelled:
            context.progress(slept_s / data, f"{slept_s:.1f} of {data:g} s")
            time.sleep(min(data - slept_s, SLICE_S))
            slept_s = time.monotonic() - began
        return {"slept_s": round(slept_s, 3)}
