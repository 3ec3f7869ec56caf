"""A node's clock steps while it runs, and nothing that waits notices."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.faults.clock import NodeClock, find_library, remove_leftovers
from shardkeeper.devservers import ServerUnavailable
from tests.servers.available import found_or_skip
from tests.waiting import wait_until

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


def library() -> Path:
    found = find_library()
    if found is None:
        raise ServerUnavailable("no libfaketime on this machine: tools/setup-faketime installs it")
    return found


@pytest.fixture
def clock(tmp_path: Path) -> Iterator[NodeClock]:
    yield NodeClock(found_or_skip(library), tmp_path / "clock")
    remove_leftovers()


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

        def stepped_from(last: Told) -> Told:
            """Once it has looked."""

            def looked() -> Told | None:
                now = told()
                return now if abs(now[0] - last[0]) > HOUR_S / 2 else None

            found = wait_until(looked, what="the step")
            assert found is not None
            return found

        before = told()
        clock.step_to(HOUR_S)
        ahead = stepped_from(before)
        clock.step_to(-HOUR_S)
        behind = stepped_from(ahead)
        clock.step_to(0)
        after = stepped_from(behind)
        process.stdin.close()
    patience_s = 60.0  # of a busy machine, far less than an hour
    for wall in (0, 1):
        assert HOUR_S <= ahead[wall] - before[wall] < HOUR_S + patience_s
        assert HOUR_S - patience_s < after[wall] - behind[wall] < HOUR_S + patience_s
    assert before[2] < ahead[2] < behind[2] < after[2] < before[2] + patience_s
    assert all(0.03 <= one[3] < patience_s for one in (before, ahead, behind, after))
