"""The judge of the storm is shown histories that keep the promises, and ones that break each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from bench.storm.history import Attempt, History, Lease, Run, Witness, read_witness
from bench.storm.judge import judge
from bench.storm.kinds import KINDS, drawn
from bench.storm.storm import deaths_logged

DIED = "WorkerDied"
DONE = Attempt(1, "COMPLETED")
TOLD = {(7, 1): 1}


def one(kind: str, status: str, *attempts: Attempt, **columns: object) -> Run:
    """Run 7."""
    return replace(Run(7, kind, status, attempts=attempts), **columns)  # type: ignore[arg-type]


def violations(
    run: Run,
    done: Mapping[tuple[int, int], int] | None = None,
    steps: Mapping[tuple[int, int], Sequence[int]] | None = None,
    submitted: Mapping[int, str] | None = None,
    workers_killed: int = 9,
) -> list[str]:
    history = History(
        submitted or {7: run.kind},
        {7: run},
        Witness(done or {}, steps or {}),
        workers_killed=workers_killed,
    )
    return [str(violation) for violation in judge(history)]


def failed(number: int, error_type: str = DIED) -> Attempt:
    return Attempt(number, "FAILED", error_type, "so it went")


LOST = Attempt(1, "LOST", "Lost")
GOOD = {
    "at once": (one("noop", "COMPLETED", DONE), TOLD),
    "lost with its node": (one("noop", "COMPLETED", LOST, Attempt(2, "COMPLETED")), {(7, 2): 1}),
    "lost after it had told": (
        one("noop", "COMPLETED", LOST, Attempt(2, "COMPLETED")),
        {(7, 1): 1, (7, 2): 1},
    ),
    "its worker killed": (one("noop", "COMPLETED", failed(1), Attempt(2, "COMPLETED")), {(7, 2): 1}),
    "all its workers killed": (one("noop", "FAILED", *map(failed, (1, 2, 3, 4))), {}),
    "fails at first": (
        one("flaky", "COMPLETED", failed(1, "RuntimeError"), Attempt(2, "COMPLETED")),
        {(7, 2): 1},
    ),
    "fails at first, then killed": (one("flaky", "FAILED", failed(1, "RuntimeError"), failed(2)), {}),
    "poison": (one("poison", "FAILED", *map(failed, (1, 2, 3))), {}),
    "poison, lost in between": (one("poison", "FAILED", LOST, *map(failed, (2, 3, 4))), {}),
    "exits": (one("exits", "FAILED", failed(1)), {}),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_keeps_the_promises_is_let_pass(name: str) -> None:
    run, done = GOOD[name]
    assert violations(run, done) == []


BAD = {
    "is not closed": (one("noop", "RUNNING", Attempt(1, "RUNNING"), finished=False, open_items=1), {}),
    "1 open items": (one("noop", "COMPLETED", DONE, open_items=1), TOLD),
    "an attempt is PENDING": (one("noop", "COMPLETED", DONE, Attempt(2, "PENDING")), TOLD),
    "an attempt is RUNNING": (one("noop", "FAILED", failed(1), Attempt(2, "RUNNING")), {}),
    "not numbered from 1 on": (one("noop", "COMPLETED", Attempt(2, "COMPLETED")), {(7, 2): 1}),
    "its attempts are not numbered": (one("noop", "COMPLETED"), {}),
    "its last attempt is FAILED": (one("noop", "COMPLETED", failed(1)), {}),
    "2 of its attempts are COMPLETED": (one("noop", "COMPLETED", DONE, Attempt(2, "COMPLETED")), TOLD),
    "1 of its attempts are COMPLETED": (one("noop", "FAILED", DONE, failed(2)), TOLD),
    "told its success 2 times": (one("noop", "COMPLETED", DONE), {(7, 1): 2}),
    "COMPLETED and never told so": (one("noop", "COMPLETED", DONE), {}),
    "told its success and is FAILED RuntimeError": (
        one("flaky", "COMPLETED", failed(1, "RuntimeError"), Attempt(2, "COMPLETED")),
        {(7, 1): 1, (7, 2): 1},
    ),
    "ended otherwise than it had to": (one("poison", "COMPLETED", DONE), TOLD),
    "otherwise than it had to": (one("noop", "STOPPED", Attempt(1, "STOPPED")), {}),
    "2 tries, not 3": (one("poison", "FAILED", *map(failed, (1, 2))), {}),
    "more than 3 tries": (one("poison", "FAILED", *map(failed, (1, 2, 3, 4))), {}),
    "0 tries, not 4": (one("noop", "FAILED", LOST), {}),
    "failed by no worker's death: TypeError": (one("noop", "FAILED", failed(1, "TypeError")), {}),
    "failed by no worker's death: RuntimeError": (
        one("flaky", "FAILED", failed(1, "RuntimeError"), failed(2, "RuntimeError")),
        {},
    ),
}


@pytest.mark.parametrize("text", BAD)
def test_what_breaks_a_promise_is_named_with_its_run(text: str) -> None:
    run, done = BAD[text]
    (found,) = violations(run, done)
    assert found.startswith("run 7: ")
    assert text in found


def test_a_submission_that_is_gone_and_a_run_that_nobody_submitted_are_named() -> None:
    run = one("noop", "COMPLETED", DONE)
    assert violations(run, TOLD, submitted={7: "noop", 8: "brief"}) == ["run 8: was submitted and is gone"]
    assert violations(run, TOLD, submitted={8: "brief"}) == [
        "run 8: was submitted and is gone",
        "run 7: nobody submitted this noop",
    ]


def test_who_goes_on_from_a_checkpoint_goes_on_from_the_one_that_is_recorded() -> None:
    lost = replace(LOST, done=2)
    run = one("steps", "COMPLETED", lost, Attempt(2, "COMPLETED"))
    done = {(7, 2): 1}
    assert violations(run, done, {(7, 1): [1, 2, 3], (7, 2): [3, 4, 5]}) == []
    (again,) = violations(run, done, {(7, 1): [1, 2, 3], (7, 2): [2, 3, 4, 5]})
    assert "took the steps [2, 3, 4, 5] after the checkpoint of step 2" in again
    (left_out,) = violations(run, done, {(7, 1): [1, 2, 3], (7, 2): [4, 5]})
    assert "took the steps [4, 5]" in left_out


def test_no_more_harmless_attempts_die_with_workers_than_workers_were_killed() -> None:
    run = one("noop", "COMPLETED", failed(1), Attempt(2, "COMPLETED"))
    assert violations(run, {(7, 2): 1}, workers_killed=1) == []
    (found,) = violations(run, {(7, 2): 1}, workers_killed=0)
    assert found == "1 harmless attempts died with their workers, of which 0 were killed"
    # poison kills its own
    poison = one("poison", "FAILED", *map(failed, (1, 2, 3)))
    assert violations(poison, workers_killed=0) == []


def test_a_life_with_something_running_and_two_lives_of_one_node_are_named() -> None:
    leases = [
        Lease("a", "one", 1, "dead", running=3),
        Lease("b", "one", 2, "active"),
        Lease("c", "one", 3, "active"),
    ]
    assert [str(found) for found in judge(History({}, {}, leases=leases))] == [
        "node one has 2 living incarnations",
        "3 attempts are RUNNING under a of one",
    ]


def test_what_the_tasks_told_is_read_by_attempt(tmp_path: Path) -> None:
    file = tmp_path / "witness"
    assert read_witness(file) == Witness()
    file.write_text("step 7 1 1\nstep 7 1 2\nstep 7 2 2\ndone 7 2 0\ndone 8 1 0\ndone 8 1 0\n")
    assert read_witness(file) == Witness({(7, 2): 1, (8, 1): 2}, {(7, 1): [1, 2], (7, 2): [2]})


def test_deaths_are_counted_once_each() -> None:
    death = "[warning  ] worker was killed by SIGKILL (by itself)"
    log = "\n".join(
        (
            "[info     ] joined      incarnation=a",
            death,
            f"{death}; next start in 0.05 s",
            "[warning  ] attempt recorded error_message='worker was killed by SIGKILL'",
            "[warning  ] worker exited with code 0 without a result",
        )
    )
    assert deaths_logged(log) == 2


def test_each_kind_is_drawn_at_least_twice_and_the_same_seed_draws_the_same() -> None:
    kinds = list(drawn(500, Random("a")))
    assert len(kinds) == 500
    assert all(kinds.count(kind) >= 2 for kind in KINDS)
    assert kinds == list(drawn(500, Random("a")))
    assert kinds != list(drawn(500, Random("b")))
