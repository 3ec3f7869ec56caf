"""The log is for people: where it cannot be written, the node goes on."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import pytest
import structlog

from shardkeeper.domain.facts import WorkersLost
from shardkeeper.system.log import FactLog, configure


@pytest.fixture
def configured(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """What a test configures is undone."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield monkeypatch
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def full_disk() -> Iterator[TextIO]:
    """A file into which nothing fits any more."""
    # unbuffered, or what is left in the buffer would fail once more when it is closed
    file = Path("/dev/full").open("w", buffering=1, encoding="utf-8")  # noqa: SIM115 - closed below
    yield file
    try:
        file.close()
    except OSError:
        assert file.closed


def test_a_fact_is_one_line_with_its_node_and_its_fields(
    configured: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    configured.setattr(sys, "stderr", sys.stderr)
    configure("json")
    FactLog("n1", "test")(WorkersLost("no memory"))
    (line,) = capsys.readouterr().err.splitlines()
    for part in ('"event": "workers lost"', '"node": "n1"', '"problem": "no memory"', '"level": "warning"'):
        assert part in line


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_a_log_on_a_full_disk_stops_nothing(
    configured: pytest.MonkeyPatch, full_disk: TextIO, log_format: str
) -> None:
    configured.setattr(sys, "stderr", full_disk)
    configure("text" if log_format == "text" else "json")
    tell = FactLog("n1", "test")
    for _ in range(1_000):
        tell(WorkersLost("no memory"))
    with pytest.raises(OSError, match="No space left"):
        full_disk.write("x\n")
