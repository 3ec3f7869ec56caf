from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Final

import pytest

from shardkeeper.devservers import ServerUnavailable
from tests.servers.available import found_or_skip

ROOT: Final = Path(__file__).parents[2]
UNIT: Final = ROOT / "deploy" / "systemd" / "shardkeeper@.service"
HIGHEST_EXPOSURE: Final = 2.5


@pytest.fixture
def systemd_analyze() -> None:
    """Skips at home, fails in CI, when the program is missing."""

    def find() -> str:
        if (program := shutil.which("systemd-analyze")) is None:
            raise ServerUnavailable("systemd-analyze comes with Debian's package systemd")
        return program

    found_or_skip(find)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def exposure(unit: Path) -> float:
    said = analyze("security", "--offline=true", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([0-9.]+)", said.stdout)
    assert found, said.stderr
    return float(found.group(1))


def setting(name: str) -> str:
    return dict(
        line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#"
    )[name]


@pytest.mark.usefixtures("systemd_analyze")
def test_systemd_finds_nothing_wrong_with_the_unit(tmp_path: Path) -> None:
    # it looks whether the command exists, so give it one that does
    text = re.sub(
        r"^ExecStart=\S+", f"ExecStart={shutil.which('true')}", UNIT.read_text(), flags=re.MULTILINE
    )
    (tmp_path / UNIT.name).write_text(text)
    said = analyze("verify", "--man=no", str(tmp_path / "shardkeeper@.service"))
    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


@pytest.mark.usefixtures("systemd_analyze")
def test_the_unit_exposes_little() -> None:
    assert exposure(UNIT) <= HIGHEST_EXPOSURE


@pytest.mark.usefixtures("systemd_analyze")
def test_the_exposure_rises_when_the_hardening_is_taken_away(tmp_path: Path) -> None:
    text = re.sub(
        r"^(Protect|Private|Restrict|CapabilityBounding|SystemCall)\w*=.*\n", "", UNIT.read_text(), flags=re.M
    )
    (tmp_path / UNIT.name).write_text(text)
    assert exposure(tmp_path / UNIT.name) > HIGHEST_EXPOSURE


@pytest.mark.parametrize("profile", ["dev", "stg", "live"])
def test_a_stop_waits_longer_than_the_grace_period_of_each_profile(profile: str) -> None:
    settings = tomllib.loads((ROOT / "config" / f"{profile}.toml").read_text())
    assert int(setting("TimeoutStopSec")) > settings["grace_period"] + 30
