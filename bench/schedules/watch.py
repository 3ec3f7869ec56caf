"""The watch over a window of fires, and over a burst, alike for all."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.beginnings import read
from bench.on_demand.contenders import Unavailable
from bench.processors import Shares
from bench.schedules import burst, step

WARM_UP_S = 2
SETTLE_S = 2.5
"""How long the watch goes on after the last fire of the window was due: what has not begun by then is lost."""
POLL_S = 0.25
BURST_PATIENCE_S, BURST_SILENCE_S = 40.0, 10.0
"""How long a burst may take, and how long nothing may begin meanwhile."""
_pause = threading.Event()


def watch_window(
    folder: Path, pids: Mapping[str, Sequence[int]], schedules: int, seconds: int, every_s: int = 1
) -> step.Step:
    """Let the schedules, which fire already, warm up, and judge what they tell in ``folder``."""
    since_s = math.ceil((time.time() + WARM_UP_S) / every_s) * every_s
    window = step.Window(since_s, seconds, every_s)
    _until(since_s)
    shares = Shares(pids).begin()
    _until(since_s + seconds)
    cores = sum(shares.cores().values())
    # the last fires of the window are due one interval before its end
    _until(since_s + seconds - every_s + SETTLE_S)
    return step.judge(read(folder), schedules, window, round(cores, 3))


def watch_burst(folder: Path, schedules: int, at_s: int) -> burst.Burst:
    """Wait for the instant ``at_s``, and until all have begun or nothing begins any more."""
    if time.time() > at_s:
        raise Unavailable(f"{schedules:,} schedules were not in place at the instant")
    _until(at_s)
    begun, changed_s = 0, float(at_s)
    while begun < schedules and time.time() < min(at_s + BURST_PATIENCE_S, changed_s + BURST_SILENCE_S):
        _pause.wait(POLL_S)
        if (more := burst.judge(read(folder), schedules, at_s).started) > begun:
            begun, changed_s = more, time.time()
    return burst.judge(read(folder), schedules, at_s)


def _until(moment_s: float) -> None:
    _pause.wait(max(0.0, moment_s - time.time()))
