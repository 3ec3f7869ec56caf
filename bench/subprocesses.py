"""The end of processes that a benchmark has started."""

from __future__ import annotations

import signal
import subprocess

STOP_TIMEOUT_S = 20.0


def end(process: subprocess.Popen[str]) -> None:
    """Ask it to end, wait, kill it when it does not."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()
