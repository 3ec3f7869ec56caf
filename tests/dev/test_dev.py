"""`shardkeeper dev` as people start it: a process of its own, real servers, real nodes."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from shardkeeper.devservers import ZooKeeperInstallation
from tests.servers.available import found_or_skip
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "jobspecs"
SAMPLE_JOBS = ("disk-usage", "implausible-index", "price-index", "store-health")
FAILING = """
impls:
  - {name: breaks, kind: script, entrypoint: breaks.sh}
jobs:
  - {name: broken, impl_spec: breaks, every: 1 s}
"""


class Dev:
    """One run of the command. ``lines`` so far are in the file ``out``."""

    def __init__(self, state: Path, *arguments: str) -> None:
        self.state = state
        self.out = state.with_suffix(".out")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("SHARDKEEPER_")}
        with self.out.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "shardkeeper", "dev", *arguments],
                cwd=ROOT,
                env={**environment, "SHARDKEEPER_STATE_DIR": str(state)},
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
            )
        self.family: set[psutil.Process] = set()

    @property
    def text(self) -> str:
        return self.out.read_text()

    def wait(self, timeout_s: float = 60.0) -> int:
        """Its exit code."""
        return self.process.wait(timeout_s)

    def wait_until_up(self) -> dict[str, int]:
        """Process ids by name, once everything is up; remembers everybody who runs then."""
        wait_until(self._is_up, 60.0, "shardkeeper dev")
        self.look_around()
        pids: dict[str, int] = json.loads((self.state / "pids.json").read_text())
        return pids

    def _is_up(self) -> bool:
        assert self.process.poll() is None, self.text
        return "Shardkeeper is up" in self.text

    def look_around(self) -> None:
        """Remember all descendants."""
        self.family |= set(psutil.Process(self.process.pid).children(recursive=True))

    def left_behind(self) -> list[psutil.Process]:
        """Who still runs of those remembered."""
        return [one for one in self.family if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]


@contextmanager
def dev(state: Path, *arguments: str) -> Iterator[Dev]:
    started = Dev(state, *arguments)
    try:
        yield started
    finally:
        if started.process.poll() is None:
            started.process.send_signal(signal.SIGTERM)
            started.process.wait(60.0)


@pytest.fixture(scope="module")
def state(servers_folder: Path) -> Path:
    """One folder for all: what an earlier run left is what people have, too."""
    folder = servers_folder / "dev"
    folder.mkdir(mode=0o711)
    return folder / "state"


@pytest.fixture
def needs_zookeeper() -> None:
    found_or_skip(ZooKeeperInstallation.find)


def untracked() -> set[str]:
    """What lies in the repository and is neither committed nor ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "jobspecs", "config", "deploy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return set(listed.stdout.splitlines())


@pytest.mark.cluster
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.usefixtures("needs_zookeeper")
def test_three_nodes_run_the_samples_and_leave_nothing_behind_and_a_second_run_goes_on_from_there(
    state: Path,
) -> None:
    before = untracked()
    with dev(state, "--nodes", "3", "--seconds", "16") as first:
        pids = first.wait_until_up()
        assert set(pids) == {"dev", "postgres", "zookeeper", "node-1", "node-2", "node-3"}
        assert {one.pid for one in first.family} >= set(pids.values()) - {first.process.pid}
        assert first.wait() == 0, first.text
    summary = first.text.partition("After ")[2]
    for job in SAMPLE_JOBS:
        assert job in summary, first.text
    assert "its alert arrived" in summary
    assert "✓ Everything that should have succeeded has." in summary
    wait_until(lambda: not first.left_behind(), 5.0, "everybody's end")
    assert untracked() == before

    with dev(state, "--nodes", "2") as second:
        pids = second.wait_until_up()
        os.kill(pids["node-2"], signal.SIGKILL)
        wait_until(lambda: "nodes  node-1, led by node-1" in second.text, 20.0, "the others' taking over")
        assert f"node-2 (pid {pids['node-2']}) was killed by SIGKILL" in second.text
        second.look_around()
        second.process.send_signal(signal.SIGINT)
        assert second.wait() == 0, second.text
    wait_until(lambda: not second.left_behind(), 5.0, "everybody's end")
    assert not (state / "pids.json").exists()


@pytest.mark.cluster
@pytest.mark.slow
def test_a_lone_node_needs_no_zookeeper_and_what_needs_it_is_paused(state: Path) -> None:
    # an older cluster's items may be pinned to nodes that are gone, and a minute is waited for those
    with dev(state, "--standalone", "--fresh", "--seconds", "7") as lone:
        pids = lone.wait_until_up()
        assert set(pids) == {"dev", "postgres", "node-1"}
        assert lone.wait() == 0, lone.text
    assert "no second node can join" in lone.text
    assert re.search(r"price-index +\d+ COMPLETED .* as it should", lone.text), lone.text
    assert re.search(r"store-health .* paused: needs ZooKeeper", lone.text), lone.text
    wait_until(lambda: not lone.left_behind(), 5.0, "everybody's end")


@pytest.mark.cluster
@pytest.mark.slow
def test_a_job_that_fails_makes_the_end_a_failure(state: Path, tmp_path: Path) -> None:
    (tmp_path / "broken.yaml").write_text(FAILING)
    (tmp_path / "scripts").mkdir()
    script = tmp_path / "scripts" / "breaks.sh"
    script.write_text("#!/bin/sh\necho it broke >&2\nexit 3\n")
    script.chmod(0o755)
    with dev(state, "--standalone", "--seconds", "3", "--jobspecs", str(tmp_path)) as broken:
        assert broken.wait() == 1, broken.text
    assert re.search(r"✗ broken: \d+ of its runs failed", broken.text), broken.text
