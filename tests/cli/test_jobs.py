"""jobs, job, next, pause, resume."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from datetime import timedelta

import pytest
from click.testing import CliRunner

from shardkeeper.cli import main
from shardkeeper.domain.specs import JobSpec
from shardkeeper.ports.specs import InvalidMark
from tests.cli.conftest import Desk
from tests.contract.story import COMPLETED, FAILED

STATUS = {
    "problem",
    "paused",
    "paused_reason",
    "last_run",
    "last_status",
    "last_finished_at",
    "failures_in_a_row",
}


def test_jobs_as_json_have_the_columns_of_job_spec_and_job_status(desk: Desk) -> None:
    desk.story.job("price-index", every=timedelta(seconds=2), labels={"team": "a"})
    (row,) = desk.json("jobs")
    given = {"name", "impl_spec", "every", "labels"}
    assert given | STATUS <= set(row)
    assert set(row) <= {field.name for field in fields(JobSpec)} | STATUS | {"version"}
    assert (row["name"], row["every"], row["paused"]) == ("price-index", "2 s", False)


def test_jobs_are_chosen_by_their_labels(desk: Desk) -> None:
    desk.story.job("one", labels={"team": "a"})
    desk.story.job("two", labels={"team": "b"})
    assert [row["name"] for row in desk.json("jobs", "-l", "team=b")] == ["two"]
    assert desk.run("jobs", "-l", "team").exit_code == 2


def test_a_table_that_is_piped_has_no_colours_and_no_folded_lines(desk: Desk) -> None:
    desk.story.job("job", owner="x")
    desk.story.run_to(FAILED)
    desk.story.world.operator.pause("job", "a reason " * 30, None, "ada")
    said = desk.run("jobs").stdout
    assert "\x1b" not in said
    (line,) = [line for line in said.splitlines() if "FAILED" in line]
    assert line.count("a reason") == 30
    assert not any(line.endswith(" ") for line in said.splitlines())


def test_a_problem_is_shown_in_jobs(desk: Desk) -> None:
    desk.story.job("job")
    version = desk.story.version()
    desk.story.world.specs.mark_invalid([InvalidMark("job", version, "cron: never fires")])
    assert "cron: never fires" in desk.run("jobs").stdout


def test_no_jobs_is_an_empty_answer_with_a_note_beside_it(desk: Desk) -> None:
    done = desk.run("jobs")
    assert (done.exit_code, done.stdout, done.stderr.startswith("note: no jobs")) == (0, "", True)
    assert desk.json("jobs") == []


def test_one_job_tells_its_last_run_and_its_next_fires(desk: Desk) -> None:
    desk.story.job("job", every=timedelta(hours=1))
    run = desk.story.run_to(COMPLETED)
    row = desk.json("job", "job")
    assert (row["last_run"], row["last_status"], len(row["next_fires"])) == (run, "COMPLETED", 3)
    assert f"{run} COMPLETED" in desk.run("job", "job").stdout


def test_an_unknown_job_is_one_line_on_standard_error_and_exit_code_1(desk: Desk) -> None:
    done = desk.run("job", "nobody")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "shardkeeper: there is no job nobody: `shardkeeper jobs` lists them\n"


def test_times_are_in_utc_unless_a_zone_is_asked_for(desk: Desk) -> None:
    at = ("--from", "2026-01-01T00:00:00Z", "-n", "1")
    assert desk.run("next", "0 12 * * *", *at).stdout == "2026-01-01 12:00:00\n"
    assert desk.run("next", "0 12 * * *", *at, "--tz", "Asia/Seoul").stdout == "2026-01-01 21:00:00\n"
    assert desk.run("next", "0 12 * * *", "--tz", "Mars/Base").exit_code == 2


def test_next_of_an_expression_needs_no_server_and_no_valid_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHARDKEEPER_WRONG", "1")
    arguments = ["next", "*/20 * * * * *", "-n", "3", "--from", "2026-11-21T03:00:00Z", "--json"]
    done = CliRunner().invoke(main, arguments)
    assert json.loads(done.stdout) == [
        "2026-11-21T03:00:20+00:00",
        "2026-11-21T03:00:40+00:00",
        "2026-11-21T03:01:00+00:00",
    ]


def test_next_takes_an_expression_in_several_words_and_a_period(desk: Desk) -> None:
    at = ("--from", "2026-11-21T03:00:00", "-n", "1", "--json")
    assert json.loads(desk.run("next", "0", "4", "*", "*", "*", *at).stdout) == ["2026-11-21T04:00:00+00:00"]
    assert json.loads(desk.run("next", "90 s", *at).stdout) == ["2026-11-21T03:01:30+00:00"]


@pytest.mark.parametrize("expression", ["61 * * * *", "0 0 30 2 *", "* * *", "-5 s", "@never"])
def test_next_refuses_an_expression_that_is_none_with_the_reason(desk: Desk, expression: str) -> None:
    done = desk.run("next", "--", expression)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_next_of_a_job_goes_by_the_version_in_force_and_its_bounds(desk: Desk) -> None:
    desk.story.job("job", every=timedelta(minutes=1), ends_at="2100-01-01T00:01:00+00:00")
    fires = desk.json("next", "job", "-n", "9", "--from", "2099-12-31T23:59:30Z")
    assert fires == ["2100-01-01T00:00:00+00:00", "2100-01-01T00:01:00+00:00"]


def test_next_of_a_job_that_will_not_fire_is_empty_and_says_why(desk: Desk) -> None:
    desk.story.job("off", enabled=False)
    desk.story.job("demand", every=None)
    desk.story.job("held")
    desk.story.world.operator.pause("held", "migration", None, "ada")
    for job, why in (("off", "disabled"), ("demand", "on demand")):
        done = desk.run("next", job, "--json")
        assert (json.loads(done.stdout), why in done.stderr) == ([], True)
    done = desk.run("next", "held", "--json")
    assert (len(json.loads(done.stdout)), "migration" in done.stderr) == (5, True)


def test_next_of_an_unknown_job_is_refused(desk: Desk) -> None:
    assert desk.run("next", "nobody").exit_code == 1


def test_a_pause_is_shown_until_the_job_is_resumed(desk: Desk) -> None:
    desk.story.job("job")
    assert desk.run("pause", "job", "--reason", "migration", "--until", "2 hours").exit_code == 0
    (row,) = desk.json("jobs")
    assert (row["paused"], row["paused_reason"]) == (True, "migration")
    assert desk.run("resume", "job").stdout == "job is resumed.\n"
    assert desk.run("resume", "job").stdout == "job was not paused.\n"
    assert desk.json("job", "job")["paused"] is False


def test_pausing_or_resuming_an_unknown_job_is_refused(desk: Desk) -> None:
    assert desk.run("pause", "nobody").exit_code == 1
    assert desk.run("resume", "nobody").exit_code == 1


def test_a_job_shows_what_it_follows_and_what_follows_it_near_and_far(desk: Desk) -> None:
    story = desk.story
    story.job("load")
    for name, jobs, on in (
        ("left", ["load"], "completed"),
        ("right", ["load"], "ended"),
        ("report", ["left", "right"], "completed"),
        ("page", ["report"], "failed"),
    ):
        story.world.author.put_job(name, impl_spec="impl", follows={"jobs": jobs, "on": on})
    said = desk.run("job", "load").stdout
    assert _block(said, "followed by") == [
        "left",
        "  report",
        "    page (failed)",
        "right (ended)",
        "  report ...",
    ]
    said = desk.run("job", "report").stdout
    assert _block(said, "follows") == ["left", "  load", "right", "  load (ended)"]
    assert _block(said, "followed by") == ["page (failed)"]
    row = desk.json("job", "load")
    assert (row["follows"], row["followed_by"]) == ({}, ["left", "right"])
    assert desk.json("job", "right")["follows"] == {"jobs": ["load"], "on": "ended"}


def _block(said: str, name: str) -> list[str]:
    """The lines beside a name, without the space before all of them."""
    lines = said.splitlines()
    (first,) = [number for number, line in enumerate(lines) if re.match(rf"{name} {{2,}}", line)]
    margin = re.match(rf"{name} +", lines[first])
    assert margin is not None
    width = margin.end()
    block = [lines[first][width:]]
    for line in lines[first + 1 :]:
        if line[:width].strip():
            break
        block.append(line[width:])
    return block
