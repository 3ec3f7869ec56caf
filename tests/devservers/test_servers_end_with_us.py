from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.servers.zookeeper import require_zookeeper
from tests.waiting import wait_until

PROGRAM = Path(__file__).with_name("parent_dies.py")


def runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def starter_of(kind: str, folder: Path) -> subprocess.Popen[str]:
    if kind == "zookeeper":
        require_zookeeper()
    return subprocess.Popen(
        [sys.executable, str(PROGRAM), kind, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("kind", ["postgres", "zookeeper"])
def test_a_server_dies_when_the_process_that_started_it_is_killed(kind: str, server_folder: Path) -> None:
    with starter_of(kind, server_folder) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert runs(pid)
        starter.kill()
    wait_until(lambda: not runs(pid), 15, f"the end of {kind} {pid}")


@pytest.mark.parametrize("kind", ["postgres", "zookeeper"])
def test_a_server_survives_the_thread_that_started_it_and_ends_at_close(
    kind: str, server_folder: Path
) -> None:
    with starter_of(kind, server_folder) as starter:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        starter.communicate(timeout=60)
        assert starter.returncode == 0
    wait_until(lambda: not runs(pid), 15, f"the end of {kind} {pid}")
