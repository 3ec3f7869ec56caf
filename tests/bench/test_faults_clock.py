"""A node's clock steps while it runs, and nothing that waits notices."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.faults.clock import NoCompiler, NodeClock
from shardkeeper.devservers import ServerUnavailable
from tests.servers.available import found_or_skip

Told = tuple[float, float, float, float]
HOUR_S = 3600
PROGRAM = """
import queue, sys, threading, time
from datetime import datetime, timezone

for _ in sys.stdin:
    began = time.monotonic()
    condition = threading.Condition()
    with condition:
        condition.wait(0.01)
    try:
        queue.Queue().get(timeout=0.01)
    except queue.Empty:
        time.sleep(0.01)
    waited_s = time.monotonic() - began
    print(time.time(), datetime.now(timezone.utc).timestamp(), began, waited_s, flush=True)
"""


@pytest.fixture
def clock(tmp_path: Path) -> NodeClock:
    return found_or_skip(lambda: made(tmp_path))


def made(folder: Path) -> NodeClock:
    try:
        return NodeClock(folder)
    except NoCompiler as error:
        raise ServerUnavailable(str(error)) from error


def test_the_wall_clock_steps_and_the_monotonic_one_and_waits_do_not(clock: NodeClock) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **clock.environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None

        def told() -> Told:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("\n")
            wall, calendar, monotonic, waited_s = map(float, process.stdout.readline().split())
            return wall, calendar, monotonic, waited_s

        before = told()
        clock.step_to(HOUR_S)
        ahead = told()
        clock.step_to(-HOUR_S)
        behind = told()
        clock.step_to(0)
        after = told()
        process.stdin.close()
    patience_s = 60.0  # of a busy machine, far less than an hour
    for wall in (0, 1):
        assert HOUR_S <= ahead[wall] - before[wall] < HOUR_S + patience_s
        assert HOUR_S - patience_s < after[wall] - behind[wall] < HOUR_S + patience_s
    assert before[2] < ahead[2] < behind[2] < after[2] < before[2] + patience_s
    assert all(0.03 <= one[3] < patience_s for one in (before, ahead, behind, after))
