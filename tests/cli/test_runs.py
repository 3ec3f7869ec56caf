"""runs, run, logs, trigger, stop, rerun."""

from __future__ import annotations

import pytest

from shardkeeper.ports.runs import Progress, ValueRow
from tests.cli.conftest import Desk
from tests.contract.story import COMPLETED, FAILED, A


def test_runs_are_listed_newest_first_and_chosen_by_job_status_node_and_time(desk: Desk) -> None:
    desk.story.job("one")
    desk.story.job("two")
    failed = desk.story.run_to(FAILED, "one")
    done = desk.story.run_to(COMPLETED, "two")
    assert [row["id"] for row in desk.json("runs")] == [done, failed]
    assert [row["id"] for row in desk.json("runs", "--job", "one")] == [failed]
    assert [row["id"] for row in desk.json("runs", "--status", "failed")] == [failed]
    assert len(desk.json("runs", "--node", "node-a")) == 2
    assert desk.json("runs", "--node", "node-b") == []
    assert len(desk.json("runs", "--limit", "1")) == 1
    assert desk.json("runs", "--since", "9999-01-01") == []
    assert desk.run("runs", "--status", "BROKEN").exit_code == 2
    assert desk.run("runs", "--since", "yesterday").exit_code == 2


def test_one_run_has_its_attempts_and_values_by_id_and_by_name(desk: Desk) -> None:
    desk.story.job()
    held = desk.story.running()
    desk.story.end(held, values=(ValueRow("kospi", 2500.5, 2.0),))
    run = held.key.run_id
    row = desk.json("run", str(run))
    assert [(one["item"], one["attempt"], one["status"]) for one in row["shard_runs"]] == [
        (0, 1, "COMPLETED")
    ]
    assert [(one["key"], one["value"], one["weight"]) for one in row["values"]] == [("kospi", 2500.5, 2.0)]
    assert desk.json("run", row["name"]) == row
    said = desk.run("run", str(run)).stdout
    for part in (row["name"], "COMPLETED", "node-a", "kospi", "2500.5"):
        assert part in said


@pytest.mark.parametrize("run", ["999", "nobody@2026-01-01T00:00:00Z", "nonsense", "job@yesterday"])
def test_a_run_that_is_not_there_is_refused(desk: Desk, run: str) -> None:
    done = desk.run("run", run)
    assert (done.exit_code, done.stdout, done.stderr.count("\n")) == (1, "", 1)


def test_what_a_task_said_drives_no_terminal(desk: Desk) -> None:
    desk.story.job()
    held = desk.story.running()
    desk.story.end(
        held,
        FAILED,
        error_type="Bad",
        error_message="\x1b[2Jgone\nnext",
        log="\x1b]0;x\x07line one\nline two",
    )
    said = desk.run("run", str(held.key.run_id)).stdout + desk.run("logs", str(held.key.run_id)).stdout
    assert "\x1b" not in said
    assert "\x07" not in said
    assert "line one\nline two" in said


def test_logs_print_each_attempt_under_its_title_where_there_are_several(desk: Desk) -> None:
    desk.story.job(sharding_total_count=2)
    for held in desk.story.create(claim_items=(0, 1)).claimed:
        desk.story.end(held, log=f"hello from {held.key.item}\n")
        run = str(held.key.run_id)
    said = desk.run("logs", run).stdout
    assert said.splitlines() == [
        "── item 0, attempt 1 on node-a: COMPLETED",
        "hello from 0",
        "── item 1, attempt 1 on node-a: COMPLETED",
        "hello from 1",
    ]
    assert desk.run("logs", run, "--item", "1").stdout == "hello from 1\n"
    assert [one["log"] for one in desk.json("logs", run)] == ["hello from 0\n", "hello from 1\n"]


def test_logs_can_be_followed_until_the_run_ends(desk: Desk) -> None:
    desk.story.job()
    held = desk.story.running()

    def go_on() -> None:
        if desk.mono < 0.3:
            desk.story.world.runs.progress(
                A, [Progress(held.key, held.claim_no, fraction=0.5, message="half")]
            )
        else:
            desk.story.end(held, log="the end\n")

    desk.while_waiting = go_on
    lines = desk.run("logs", str(held.key.run_id), "--follow").stdout.splitlines()
    assert lines[0] == "── item 0, attempt 1 on node-a: RUNNING"
    assert "50% half" in lines[1]
    assert lines[-1] == "the end"


def test_a_triggered_run_has_its_parameters_as_json_where_they_are(desk: Desk) -> None:
    desk.story.job("job", sharding_total_count=3)
    row = desk.json(
        "trigger", "job", "--param", "region=seoul", "--param", "n=3", "--param", 'list=["a"]', "--item", "2",
        "--fire-time", "2026-01-02T03:04:05Z",
    )  # fmt: skip
    assert row["parameters"] == {"region": "seoul", "n": 3, "list": ["a"]}
    assert (row["trigger_kind"], row["name"]) == ("manual", "job@2026-01-02T03:04:05Z")
    assert [one["item"] for one in row["shard_runs"]] == [2]


def test_a_refused_trigger_says_why(desk: Desk) -> None:
    desk.story.job("off", enabled=False)
    for job, why in (("off", "disabled"), ("nobody", "nobody")):
        done = desk.run("trigger", job)
        assert (done.exit_code, done.stdout, why in done.stderr) == (1, "", True)
    assert desk.run("trigger", "off", "--param", "novalue").exit_code == 2


@pytest.mark.parametrize(("ending", "exit_code"), [(COMPLETED, 0), (FAILED, 1)])
def test_waiting_for_a_trigger_ends_with_the_run(desk: Desk, ending: object, exit_code: int) -> None:
    desk.story.job()

    def finish() -> None:
        for held in desk.story.claim_pending():
            desk.story.end(held, ending)  # type: ignore[arg-type]  # one of the two statuses

    desk.while_waiting = finish
    assert desk.json("trigger", "job", "--wait", exit_code=exit_code)["status"] == str(ending)


def test_waiting_gives_up_with_exit_code_75_when_time_runs_out(desk: Desk) -> None:
    desk.story.job()
    done = desk.run("trigger", "job", "--wait", "--timeout", "2")
    assert (done.exit_code, "after 2 s; it goes on" in done.stderr) == (75, True)
    assert desk.mono >= 2


def test_a_stop_says_whether_the_run_had_ended(desk: Desk) -> None:
    desk.story.job()
    run = desk.json("trigger", "job")["id"]
    assert desk.run("stop", str(run)).stdout == f"{run} is being stopped.\n"
    assert desk.run("stop", str(run)).stdout == f"{run} had ended.\n"
    assert desk.story.row(run)["status"] == "STOPPED"
    assert desk.run("stop", "999").exit_code == 1


def test_failed_runs_run_again_with_other_parameters(desk: Desk) -> None:
    desk.story.job()
    old = desk.story.run_to(FAILED)
    (new,) = desk.json("rerun", str(old), "--param", "x=1")
    assert (new["rerun_of"], new["trigger_kind"], new["parameters"]) == (old, "rerun", {"x": 1})
    assert desk.run("rerun", str(new["id"])).exit_code == 1


def test_a_run_shows_the_run_it_follows_and_those_that_follow_it(desk: Desk) -> None:
    desk.story.job("load")
    desk.story.world.author.put_job("report", impl_spec="impl", follows={"jobs": ["load"]})
    first = desk.story.run_to(COMPLETED, "load")
    (follow_up,) = desk.json("run", str(first))["follow_ups"]
    assert (follow_up["id"], follow_up["status"]) == (first + 1, "CREATED")
    assert f"{follow_up['id']}  {follow_up['name']}  CREATED" in desk.run("run", str(first)).stdout
    assert desk.json("run", str(follow_up["id"]))["parent_run"] == first
    said = desk.run("run", str(follow_up["id"])).stdout
    assert [line.split() for line in said.splitlines() if line.startswith("follows run")] == [
        ["follows", "run", str(first)]
    ]


def test_dead_letters_of_a_job_are_run_again_once_the_oldest_first_with_other_parameters(desk: Desk) -> None:
    desk.story.job("one")
    desk.story.job("two")
    failed = [desk.story.run_to(FAILED, "one") for _ in range(3)]
    desk.story.run_to(COMPLETED, "one")
    desk.story.run_to(FAILED, "two")
    again = desk.json("rerun", str(failed[1]))
    new = desk.json("rerun", "--job", "one", "--all", "--param", "size=small")
    assert [row["rerun_of"] for row in new] == [failed[0], failed[2]]
    assert [row["parameters"] for row in new] == [{"size": "small"}] * 2
    assert again[0]["parameters"] == {}
    done = desk.run("rerun", "--job", "one")
    assert (done.exit_code, done.stdout) == (0, "")
    assert "no failed runs of one are left" in done.stderr


def test_the_newest_dead_letters_go_first_when_there_are_many(desk: Desk) -> None:
    desk.story.job("one")
    failed = [desk.story.run_to(FAILED, "one") for _ in range(51)]
    said = desk.run("rerun", "--job", "one", "--since", "1970-01-01").stdout.splitlines()
    assert (len(said), said[0].split()[0]) == (50, str(failed[1]))


@pytest.mark.parametrize("wrong", [[], ["1", "--job", "one"], ["1", "--all"], ["1", "--since", "1h"]])
def test_rerun_takes_runs_or_a_job(desk: Desk, wrong: list[str]) -> None:
    assert desk.run("rerun", *wrong).exit_code == 2
