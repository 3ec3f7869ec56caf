"""Tasks that leave children behind, and a module that not every node allows."""

from __future__ import annotations

import os
import subprocess
import sys

from witnessing import hold, tell

from shardkeeper import DistributeTask, ShardContext

SLEEPER = "import threading; threading.Event().wait()"


class Parent(DistributeTask):
    """Starts a child, and one that has called setsid, tells their pids, and holds."""

    def calculate(self, context: ShardContext, data: None) -> None:
        children = [
            subprocess.Popen([sys.executable, "-c", SLEEPER], start_new_session=new_session)
            for new_session in (False, True)
        ]
        tell(context, "children", worker=os.getpid(), children=[child.pid for child in children])
        hold(context)


class Member(DistributeTask):
    """A plain task in a module of its own."""

    def calculate(self, context: ShardContext, data: None) -> None:
        tell(context, "ended")
