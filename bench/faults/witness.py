"""What the tasks told: the lines of bench/tasks/faults_tasks.py, folded into executions."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Execution:
    """A task that ran once. ``began``, ``last``: its first and its last word, in seconds since the epoch by the
    machine's clock. ``ending``: ``ended`` (in success), ``failed``, ``compensated``; None: it was killed. ``found``:
    the step of the checkpoint that it was given."""

    token: str
    run: int
    job: str
    item: int
    attempt: int
    node: str
    began: float
    last: float
    ending: str | None = None
    found: int = 0
    pid: int = 0


def read_witness(path: Path, wall_minus_monotonic_s: float) -> list[Execution]:
    """Every execution of which the file has a line; none where there is no file."""
    begun: dict[str, dict[str, Any]] = {}
    last: dict[str, tuple[float, str]] = {}
    text = path.read_text() if path.exists() else ""
    # a line that was being written when its worker was killed is whole or out
    for line in text.splitlines():
        told = json.loads(line)
        begun.setdefault(told["token"], told)
        last[told["token"]] = (told["at"], told["event"])
    return [_execution(told, *last[token], wall_minus_monotonic_s) for token, told in begun.items()]


def _execution(told: dict[str, Any], last: float, event: str, offset_s: float) -> Execution:
    return Execution(
        told["token"],
        told["run"],
        told["job"],
        told["item"],
        told["attempt"],
        told["node"],
        told["at"] + offset_s,
        last + offset_s,
        event if event in ("ended", "failed", "compensated") else None,
        told.get("found", 0),
        told["pid"],
    )
