"""What is there when a node is composed is the collector's business no more, and its threads have short turns."""

from __future__ import annotations

import subprocess
import sys

LOOK = """
import gc, sys
from shardkeeper.system import interpreter
before, turn_s = len(gc.get_objects()), sys.getswitchinterval()
interpreter.tune()
print(before, gc.get_freeze_count(), len(gc.get_objects()), gc.isenabled(), gc.get_threshold()[0])
print(turn_s, sys.getswitchinterval())
"""


def test_what_is_there_is_left_alone_and_what_comes_is_still_collected() -> None:
    # in a process of its own, whose collector it is to change
    done = subprocess.run([sys.executable, "-c", LOOK], capture_output=True, text=True, check=True)
    before, frozen, watched, enabled, threshold, turn_s, turn_now_s = done.stdout.split()
    assert int(frozen) > 0.9 * int(before) > 1_000
    assert int(watched) < 0.1 * int(before)
    assert enabled == "True"
    assert int(threshold) > 700
    assert float(turn_now_s) < float(turn_s)
