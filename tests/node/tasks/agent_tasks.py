"""Tasks that tests give to real agents."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from threading import Event

from shardkeeper import DistributeTask, ShardContext


class Echo(DistributeTask):
    """Tells what it was given."""

    def calculate(self, context: ShardContext, data: object) -> object:
        return {"parameters": context.parameters, "sources": [source.key for source in context.sources]}


class Brief(DistributeTask):
    """Takes as long as the parameter `seconds` says."""

    def calculate(self, context: ShardContext, data: object) -> object:
        Event().wait(float(context.parameters["seconds"]))
        return context.node_id


class Held(DistributeTask):
    """The first attempt holds on for ever, with a child of its own; whoever takes it over ends at once."""

    def calculate(self, context: ShardContext, data: object) -> object:
        if context.attempt == 1:
            child = subprocess.Popen(["sleep", "600"])
            context.save_checkpoint({"pids": [os.getpid(), child.pid]})
            Event().wait(600)
        return {"before": context.checkpoint}


class Gated(DistributeTask):
    """Runs until the file named by the parameter `gate` is there."""

    def calculate(self, context: ShardContext, data: object) -> object:
        never = Event()
        while not Path(context.parameters["gate"]).exists():
            never.wait(0.02)
        return context.attempt
