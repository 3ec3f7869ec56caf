from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from shardkeeper import DistributeTask, ShardContext

_MARK = Path(os.environ["KILLED_ONCE"])
if not _MARK.exists():
    _MARK.touch()
    os.kill(os.getpid(), signal.SIGKILL)


class Task(DistributeTask):
    def calculate(self, context: ShardContext, data: Any) -> str:
        return "imported"
