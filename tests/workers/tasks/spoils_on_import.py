"""Importing it changes the process, starts another, and prints."""

from __future__ import annotations

import os
import signal
import subprocess

from shardkeeper import DistributeTask

os.chdir("/")
os.umask(0)
signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
CHILD = subprocess.Popen(["sleep", "600"], start_new_session=True)
print("imported")  # noqa: T201 - what a module may do


class Task(DistributeTask):
    """Returns who imported it and the child that is left from that."""

    def calculate(self, context: object, data: object) -> dict[str, int]:
        return {"pid": os.getpid(), "child": CHILD.pid}
