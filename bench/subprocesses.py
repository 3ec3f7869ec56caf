"""The end of processes that a benchmark has started."""

from __future__ import annotations

import signal
import subprocess
from typing import Any

STOP_TIMEOUT_S = 20.0


def end(process: subprocess.Popen[Any], patience_s: float = STOP_TIMEOUT_S) -> None:
    """Ask it to end, wait so long, kill it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
