"""The tasks of the storm. Each tells the witness file what it did, before the outcome is recorded: one line of
``<event> <run> <attempt> <detail>``, appended in one write, so that a kill leaves a line whole or out.
"""

from __future__ import annotations

import os
import signal
import threading
from typing import Any

from shardkeeper import DistributeTask, ShardContext

STEPS = 5
_STEP_S = 0.01


def tell(context: ShardContext, event: str, detail: int = 0) -> None:
    line = f"{event} {context.run_id} {context.attempt} {detail}\n"
    file = os.open(os.environ["STORM_WITNESS"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


class Noop(DistributeTask):
    """Does nothing."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        tell(context, "done")


class Brief(DistributeTask):
    """Takes as many milliseconds as the parameter ``ms`` says."""

    def calculate(self, context: ShardContext, data: Any) -> int:
        ms: int = context.parameters["ms"]
        threading.Event().wait(ms / 1000)
        tell(context, "done")
        return ms


class Flaky(DistributeTask):
    """The first attempt fails."""

    def calculate(self, context: ShardContext, data: Any) -> int:
        if context.attempt == 1:
            raise RuntimeError("the first attempt always fails")
        tell(context, "done")
        return context.attempt


class Steps(DistributeTask):
    """Some steps with a checkpoint after each."""

    def calculate(self, context: ShardContext, data: Any) -> int:
        for step in range(context.checkpoint.get("done", 0) + 1, STEPS + 1):
            tell(context, "step", step)
            threading.Event().wait(_STEP_S)
            context.save_checkpoint({"done": step})
        tell(context, "done")
        return STEPS


class Exits(DistributeTask):
    """Ends its worker, which looks like a success."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        os._exit(0)


class Poison(DistributeTask):
    """Kills every worker that touches it."""

    def calculate(self, context: ShardContext, data: Any) -> None:
        os.kill(os.getpid(), signal.SIGKILL)
