"""submit, backfill, pools."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.cli.conftest import Desk
from tests.contract.story import COMPLETED, FAILED, A, Story


@pytest.fixture
def on_demand(desk: Desk) -> Desk:
    desk.story.job("thumbnail", every=None)
    return desk


def work(story: Story) -> None:
    """Fail what is asked to, complete the rest."""
    for held in story.world.runs.pull(A, 100, []):
        bad = story.row(held.key.run_id)["parameters"].get("bad")
        story.end(
            held,
            FAILED if bad else COMPLETED,
            result=None if bad else "done",
            error_type="Bad" if bad else None,
        )


def test_a_submission_has_its_parameters_key_priority_and_time(on_demand: Desk) -> None:
    row = on_demand.json(
        "submit", "thumbnail", "--params-json", '{"path": "a.png", "width": 1}', "--param", "width=2",
        "--key", "a", "--priority", "5", "--at", "2050-01-02T03:04:05Z",
    )  # fmt: skip
    assert row["parameters"] == {"path": "a.png", "width": 2}
    assert (row["trigger_kind"], row["name"], row["priority"]) == (
        "submit",
        "thumbnail@2050-01-02T03:04:05Z",
        5,
    )
    assert on_demand.json("submit", "thumbnail", "--key", "a")["id"] == row["id"]
    assert on_demand.run("submit", "thumbnail", "--key", "a").stdout == f"{row['id']}  {row['name']}\n"


def test_waiting_for_a_submission_ends_with_its_result(on_demand: Desk) -> None:
    on_demand.while_waiting = lambda: work(on_demand.story)
    assert on_demand.json("submit", "thumbnail", "--wait")["result"] == "done"
    assert (
        on_demand.json("submit", "thumbnail", "--param", "bad=1", "--wait", exit_code=1)["status"] == "FAILED"
    )


def test_waiting_for_a_submission_gives_up_with_exit_code_75(on_demand: Desk) -> None:
    done = on_demand.run("submit", "thumbnail", "--wait", "--timeout", "2")
    assert (done.exit_code, "after 2 s; it goes on" in done.stderr) == (75, True)


def test_each_line_of_a_file_is_a_run_once(on_demand: Desk, tmp_path: Path) -> None:
    file = tmp_path / "work.jsonl"
    file.write_text("".join(json.dumps({"path": f"{n}.png"}) + "\n\n" for n in range(1500)))
    command = ("submit", "thumbnail", "--from-file", str(file), "--key", "night", "--param", "width=1")
    ids = [row["id"] for row in on_demand.json(*command)]
    assert len(set(ids)) == 1500
    assert on_demand.story.row(ids[-1])["parameters"] == {"path": "1499.png", "width": 1}
    assert on_demand.json(*command) == [{"id": one} for one in ids]
    assert on_demand.run(*command).stdout.split() == [str(one) for one in ids]


def test_a_file_is_waited_for_and_its_failures_are_told(on_demand: Desk, tmp_path: Path) -> None:
    on_demand.while_waiting = lambda: work(on_demand.story)
    file = tmp_path / "work.jsonl"
    file.write_text('{}\n{"bad": true}\n')
    rows = on_demand.json("submit", "thumbnail", "--from-file", str(file), "--wait", exit_code=1)
    assert [(row["status"], row["result"], row["error_type"]) for row in rows] == [
        ("COMPLETED", "done", None),
        ("FAILED", None, "Bad"),
    ]


@pytest.mark.parametrize("line", ["[1]", "nonsense", "NaN"])
def test_a_line_that_is_no_object_is_wrong_usage(on_demand: Desk, tmp_path: Path, line: str) -> None:
    file = tmp_path / "work.jsonl"
    file.write_text("{}\n" + line)
    done = on_demand.run("submit", "thumbnail", "--from-file", str(file))
    assert (done.exit_code, "line 2" in done.stderr) == (2, True)
    assert on_demand.run("submit", "thumbnail", "--params-json", line).exit_code == 2


def test_what_is_refused_says_why(desk: Desk) -> None:
    done = desk.run("submit", "nobody")
    assert (done.exit_code, done.stdout, "nobody" in done.stderr) == (1, "", True)


def test_a_backfill_fills_what_has_no_run(desk: Desk) -> None:
    start = desk.story.world.now()
    desk.story.job("job", overlap="queue")
    desk.story.world.pass_time(60)
    now = desk.story.world.now()
    span = ("--from", (start - timedelta(seconds=60)).isoformat(), "--to", now.isoformat())
    done = desk.run("backfill", "job", *span)
    assert done.exit_code == 0, done.stderr
    ids = done.stdout.split()
    assert ids
    assert {desk.story.row(int(one))["trigger_kind"] for one in ids} == {"backfill"}
    assert desk.json("backfill", "job", *span) == []
    assert desk.run("backfill", "job", "--from", now.isoformat(), "--to", start.isoformat()).exit_code == 1


def test_pools_are_listed(on_demand: Desk) -> None:
    on_demand.story.world.author.put_pool("gpu", 4)
    assert on_demand.json("pools") == [{"name": "gpu", "size": 4, "running": 0, "waiting": 0}]
    assert "gpu" in on_demand.run("pools").stdout
