"""What `shardkeeper dev` shows, drawn from pictures."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from shardkeeper.dev.fleet import Death
from shardkeeper.dev.lines import Lines
from shardkeeper.dev.picture import JobPicture, Picture
from shardkeeper.dev.screen import Screen
from shardkeeper.devservers.fake_slack import Received

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
DEATH = Death("node-3", 13, "was killed by SIGKILL", own_fault=False, log=Path("node-3.log"))


def node(number: int) -> dict[str, Any]:
    return {
        "node_id": f"node-{number}",
        "pid": 10 + number,
        "leader": number == 1,
        "state": "active",
        "applied_epoch": 4,
        "running": number,
        "beaten_at": NOON,
    }


def run(number: int, status: str = "COMPLETED", reason: str | None = None) -> dict[str, Any]:
    fire = NOON + timedelta(seconds=number)
    return {
        "id": number,
        "name": f"index@{fire:%Y-%m-%dT%H:%M:%SZ}",
        "job_name": "index",
        "status": status,
        "reason": reason,
        "missed_count": None,
        "trigger_kind": "schedule",
        "fire_time": fire,
        "started_at": fire + timedelta(milliseconds=4),
        "finished_at": fire + timedelta(milliseconds=84),
        "shard_runs": [{"node_id": "node-1", "error_message": None, "phase": "validate"}],
    }


def job(name: str = "index") -> JobPicture:
    row = {
        "name": name,
        "cron": None,
        "every": timedelta(seconds=2),
        "run_at": None,
        "sharding_strategy": "balanced",
        "problem": None,
        "paused": False,
        "enabled": True,
    }
    return JobPicture(
        row, ("node-1", "node-2", None), (run(1), run(2, "FAILED")), NOON + timedelta(seconds=3)
    )


def picture(*runs: dict[str, Any], jobs: int = 1, nodes: tuple[int, ...] = (1, 2)) -> Picture:
    return Picture(
        NOON,
        nodes=tuple(node(number) for number in nodes),
        jobs=tuple(job(f"index-{number}") for number in range(jobs)),
        runs=tuple(reversed(runs)),
        ended=runs,
    )


def drawn(shown: Picture, width: int, height: int, inbox: tuple[Received, ...] = ()) -> list[str]:
    """The lines of the live view."""
    out = io.StringIO()
    screen = Screen(
        Console(file=out, width=width, height=height, force_terminal=True), "Shardkeeper", ["help", "me"]
    )
    try:
        view = screen.draw(shown, inbox, [DEATH])
    finally:
        screen.close()
    paper = Console(file=io.StringIO(), width=width)
    paper.print(view)
    assert isinstance(paper.file, io.StringIO)
    return [line.rstrip() for line in paper.file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("width", "height", "jobs"), [(120, 45, 3), (80, 24, 1), (80, 24, 40), (200, 60, 100)]
)
def test_the_live_view_fits_the_terminal(width: int, height: int, jobs: int) -> None:
    lines = drawn(picture(*map(run, range(100)), jobs=jobs), width, height)
    assert len(lines) <= height
    assert max(map(len, lines)) <= width


def test_the_live_view_shows_who_leads_who_died_and_who_owns_what() -> None:
    text = "\n".join(drawn(picture(run(1)), 120, 45))
    assert "node-1  leads" in text
    assert "was killed by SIGKILL" in text
    assert "node-1 node-2 nobody" in text
    assert "in 3 s" in text


def test_runs_skipped_for_one_reason_are_one_line() -> None:
    skipped = [run(number, "SKIPPED", "run 7 is in the way") for number in range(3)]
    text = "\n".join(drawn(picture(*skipped), 120, 45))
    assert text.count("skipped") == 1
    assert "×3" in text


def test_lines_tell_each_thing_once() -> None:
    told: list[str] = []
    lines = Lines(told.append)
    inbox = (Received("#alerts", "[local] index 1/3 items FAILED", [], None, None),)
    lines.show(picture(run(1)), inbox, [])
    lines.show(picture(), inbox, [])
    assert [line.partition("  ")[2].split()[0] for line in told] == ["nodes", "run", "slack"]
    lines.show(picture(nodes=(1,)), inbox, [DEATH])
    assert "node-3 (pid 13) was killed by SIGKILL" in told[-2]
    assert "node-1, led by node-1" in told[-1]


def test_many_runs_at_once_are_told_as_numbers() -> None:
    told: list[str] = []
    Lines(told.append).show(picture(*map(run, range(50))), (), [])
    assert len(told) == 6
    assert "46 more: 46 COMPLETED" in told[-1]
