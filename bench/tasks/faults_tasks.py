"""The tasks of the faults. Each is its own witness: it tells a file what it saw, when it began and when it ended.

One JSON object a line, appended in one write, so that a kill leaves a line whole or out. Each execution has a token of
its own, which is also its result, or its value: so what is recorded names the very execution that it is of, whatever
claims and attempts there were. ``at`` is CLOCK_MONOTONIC in seconds, one clock for the whole machine: the wall clock of
a node may be stepped.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from json import dumps
from typing import Any
from uuid import uuid4

from shardkeeper import CalculateValue, DistributeTask, ShardContext

_TICK_S = 0.25
"""How often a task that takes longer says that it is alive: what is killed cannot say when it ended."""


class Witness(DistributeTask):
    """Tells that it began, takes the milliseconds of the parameter ``ms`` (0), tells that it ended."""

    def initialize(self, context: ShardContext) -> str:
        """The token of this execution."""
        token = uuid4().hex[:16]
        tell(context, token, "began", found=context.checkpoint.get("done", 0))
        return token

    def calculate(self, context: ShardContext, data: str) -> Any:
        take(context, data, context.parameters.get("ms", 0) / 1000)
        tell(context, data, "ended")
        return {"token": data}


class Values(Witness):
    """Its results are as many values as the parameter ``values`` says."""

    def calculate(self, context: ShardContext, data: str) -> list[CalculateValue]:
        super().calculate(context, data)
        return [CalculateValue(f"value-{number}", data) for number in range(context.parameters["values"])]


class FailsFirst(Witness):
    """The first attempt fails."""

    def calculate(self, context: ShardContext, data: str) -> Any:
        if context.attempt == 1:
            tell(context, data, "failed")
            raise RuntimeError("the first attempt always fails")
        return super().calculate(context, data)


class Steps(Witness):
    """As many steps as the parameter ``steps`` says, of ``ms`` milliseconds each, with a checkpoint after each."""

    def calculate(self, context: ShardContext, data: str) -> Any:
        for step in range(context.checkpoint.get("done", 0) + 1, context.parameters["steps"] + 1):
            take(context, data, context.parameters["ms"] / 1000)
            context.save_checkpoint({"done": step})
        tell(context, data, "ended")
        return {"token": data}


class Undone(Witness):
    """Always fails, and is rolled back."""

    def calculate(self, context: ShardContext, data: str) -> Any:
        tell(context, data, "failed")
        raise RuntimeError("this one always fails")

    def compensate(self, context: ShardContext) -> None:
        token = uuid4().hex[:16]
        tell(context, token, "began", found=context.checkpoint.get("done", 0))
        tell(context, token, "compensated")


class Poison(Witness):
    """Kills every worker that touches it."""

    def calculate(self, context: ShardContext, data: str) -> Any:
        tell(context, data, "failed")
        os.kill(os.getpid(), signal.SIGKILL)


def take(context: ShardContext, token: str, seconds: float) -> None:
    """Wait, and say every now and then that this execution is alive."""
    until = time.monotonic() + seconds
    pause = threading.Event()
    while (left := until - time.monotonic()) > 0:
        pause.wait(min(left, _TICK_S))
        if left > _TICK_S:
            tell(context, token, "alive")


def tell(context: ShardContext, token: str, event: str, **more: int) -> None:
    """One line: which execution, what, when."""
    line = {
        "event": event,
        "token": token,
        "run": context.run_id,
        "job": context.job_name,
        "item": context.item,
        "attempt": context.attempt,
        "node": context.node_id,
        "pid": os.getpid(),
        "at": time.clock_gettime(time.CLOCK_MONOTONIC),
        **more,
    }
    file = os.open(os.environ["FAULTS_WITNESS"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(file, (dumps(line) + "\n").encode())
    finally:
        os.close(file)
