"""Tasks that tell a file what they saw, in a worker process of a node under test.

A witness file is named by the variable WITNESS_FILE of the node's environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from shardkeeper import DistributeTask, ShardContext

_POLL_S = 0.01
_SLEEPER = "import threading; threading.Event().wait()"


def tell(context: ShardContext, event: str, **more: Any) -> None:
    """Append one line: who, what, with what."""
    line = {
        "event": event,
        "job": context.job_name,
        "run": context.run_id,
        "fire_time": context.fire_time.isoformat(),
        "item": context.item,
        "total": context.sharding_total_count,
        "item_parameter": context.item_parameter,
        "attempt": context.attempt,
        "node": context.node_id,
        "parameters": context.parameters,
        "sources": {source.key: [source.weight, source.parameters] for source in context.sources},
        "pid": os.getpid(),
        **more,
    }
    file = os.open(os.environ["WITNESS_FILE"], os.O_APPEND | os.O_CREAT | os.O_WRONLY, 0o644)
    try:
        os.write(file, (json.dumps(line) + "\n").encode())
    finally:
        os.close(file)


def hold(context: ShardContext) -> None:
    """Wait for the gate whose path is the parameter ``until``, if there is one."""
    gate = context.parameters.get("until")
    never = threading.Event()
    while gate is not None and not Path(gate).exists():
        never.wait(_POLL_S)


class Witness(DistributeTask):
    """Tells when it began, holds while its gate is shut, tells when it ended."""

    def initialize(self, context: ShardContext) -> None:
        tell(context, "began")

    def calculate(self, context: ShardContext, data: None) -> dict[str, Any]:
        hold(context)
        tell(context, "ended")
        return {"item": context.item, "parameters": context.parameters}


class FailsFirst(Witness):
    """As Witness, but its first attempt fails once its gate is open."""

    def calculate(self, context: ShardContext, data: None) -> dict[str, Any]:
        answer = super().calculate(context, data)
        if context.attempt == 1:
            raise RuntimeError("the first attempt always fails")
        return answer


class Brief(DistributeTask):
    """Takes as long as the parameter ``seconds`` says."""

    def calculate(self, context: ShardContext, data: None) -> None:
        threading.Event().wait(float(context.parameters["seconds"]))


class Resumed(DistributeTask):
    """The first attempt saves a checkpoint and never ends; whoever takes it over tells the checkpoint it found."""

    def calculate(self, context: ShardContext, data: None) -> dict[str, Any]:
        if context.attempt == 1:
            context.save_checkpoint({"pid": os.getpid()})
            threading.Event().wait()
        return {"before": context.checkpoint}


class Parent(DistributeTask):
    """Starts a child, and one that has called setsid, tells their pids, and holds while its gate is shut."""

    def calculate(self, context: ShardContext, data: None) -> None:
        children = [
            subprocess.Popen([sys.executable, "-c", _SLEEPER], start_new_session=new_session)
            for new_session in (False, True)
        ]
        tell(context, "children", children=[child.pid for child in children])
        hold(context)
