"""Whatever a task does ends its attempt, once, as what it was; the next task is unaffected."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shardkeeper.domain.runs import Phase
from shardkeeper.ports.workers import (
    AttemptCheckpointed,
    AttemptEnded,
    AttemptProgressed,
    AttemptStarted,
    EndedValue,
    EndingStatus,
    EntrypointChecked,
    WorkersChanged,
)

from .hall import Hall, alive

OPEN_HALL = Callable[..., Hall]


def test_three_phases_give_values_times_log_progress_and_checkpoint(hall: Hall) -> None:
    sources = [{"key": "s", "weight": 1, "location": "http://feed", "parameters": {}}]
    order = hall.submit("Phases", context={"sources": sources})
    ending = hall.ending(order)
    assert ending.status is EndingStatus.COMPLETED
    assert ending.values == (EndedValue("a", 1, 2.0), EndedValue("b", {"x": [1, 2]}, 1.0))
    assert ending.phase is Phase.VALIDATE
    assert ending.result is None
    assert None not in (ending.initialize_ms, ending.calculate_ms, ending.validate_ms)
    assert ending.started_at is not None
    assert ending.finished_at is not None
    assert ending.started_at <= ending.finished_at
    assert ending.code_version is not None
    assert len(ending.code_version) == 12
    assert ending.log is not None
    assert "INFO calculating ['http://feed']" in ending.log
    kinds = [type(event) for event in hall.of(order)]
    assert kinds == [AttemptStarted, AttemptProgressed, AttemptCheckpointed, AttemptEnded]
    assert hall.wait(AttemptProgressed).fraction == 0.5
    assert hall.wait(AttemptCheckpointed).checkpoint == {"at": 7}


def test_what_validation_refuses_is_kept_with_the_error_and_not_as_values(hall: Hall) -> None:
    ending = hall.run("Phases", {"refuse": True})
    assert (ending.status, ending.phase) == (EndingStatus.FAILED, Phase.VALIDATE)
    assert (ending.error_type, ending.error_message) == ("ValidationError", "out of bounds")
    assert ending.values == ()
    assert [value.key for value in ending.refused_values] == ["a", "b"]


@pytest.mark.parametrize("value", [None, 0, "text", [], [1, {"a": None}], {"k": 1.5}])
def test_any_json_value_is_a_result(hall: Hall, value: Any) -> None:
    ending = hall.run("Simple", {"returns": value})
    assert ending.status is EndingStatus.COMPLETED
    assert ending.result == value


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("float('nan')", "not JSON"),
        ("[float('inf')]", "not JSON"),
        ("object()", "not JSON"),
        ("{'a': {1, 2}}", "not JSON"),
        ("'a\\0b'", "NUL"),
        ("{'a\\0': 1}", "NUL"),
        ("'\\ud800'", "surrogate"),
        ("10 ** 20000", "not JSON"),
        ("[CalculateValue('a', 1), CalculateValue('a', 2)]", "two values with the key 'a'"),
        ("[CalculateValue('a', 1), 5]", "returned a int among"),
        ("[CalculateValue('a', float('nan'))]", "not JSON"),
        ("[CalculateValue('a', 1, -1)]", "weight"),
        ("[CalculateValue('', 1)]", "key"),
    ],
)
def test_what_cannot_be_stored_fails_the_attempt_with_the_reason(
    hall: Hall, expression: str, said: str
) -> None:
    ending = hall.run("Evil", {"expression": expression})
    assert ending.status is EndingStatus.FAILED
    assert said in (ending.error_message or "")
    assert ending.result is None
    assert ending.values == ()


def test_a_backslash_before_u0000_is_text_and_no_nul(hall: Hall) -> None:
    assert hall.run("Evil", {"expression": r"'\\u0000'"}).result == r"\u0000"


def test_a_result_beyond_its_limit_fails_and_one_at_the_limit_does_not(hall: Hall) -> None:
    at_limit = hall.run("Evil", {"expression": "'x' * 9998"}, result_limit_bytes=10_000)
    assert at_limit.status is EndingStatus.COMPLETED
    beyond = hall.run("Evil", {"expression": "'x' * 9999"}, result_limit_bytes=10_000)
    assert beyond.error_message == "the result is too large: 10001 bytes, at most 10000 are kept"
    huge = hall.run("Evil", {"expression": "'x' * 300_000_000"})
    assert huge.error_type == "TooLarge"


def test_a_raising_task_fails_with_its_redacted_traceback_beginning_in_the_task(hall: Hall) -> None:
    ending = hall.run("Raises", {"what": "error"})
    assert (ending.status, ending.phase, ending.error_type) == (
        EndingStatus.FAILED,
        Phase.CALCULATE,
        "RuntimeError",
    )
    assert ending.error_message == "no postgres://joe:***@db/x today"
    assert ending.traceback is not None
    assert "hunter22" not in ending.traceback
    assert "ill_behaved.py" in ending.traceback
    assert "phases.py" not in ending.traceback


def test_long_and_unprintable_errors_are_bounded(hall: Hall) -> None:
    long = hall.run("Raises", {"what": "long"})
    assert len(long.error_message or "") < 5_000
    assert len(long.traceback or "") < 20_000
    assert "ValueError" in (hall.run("Raises", {"what": "unprintable"}).error_message or "")


def test_retry_later_cancel_and_sys_exit_are_what_they_are(hall: Hall) -> None:
    retry = hall.run("Raises", {"what": "retry"})
    assert (retry.status, retry.delay_s) == (EndingStatus.RETRY_LATER, 7.0)
    cancel = hall.run("Raises", {"what": "cancel"})
    assert (cancel.status, cancel.cancelled) == (EndingStatus.STOPPED, True)
    assert cancel.error_message == "nothing to do"
    left = hall.run("Raises", {"what": "exit"})
    assert (left.status, left.error_message) == (EndingStatus.FAILED, "the task called sys.exit(3)")


@pytest.mark.parametrize("what", ["retry in", "spoilt retry"])
@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e300", "31622401"])
def test_a_retry_at_no_possible_time_is_a_failure(hall: Hall, what: str, seconds: str) -> None:
    ending = hall.run("Raises", {"what": what, "seconds": seconds})
    assert (ending.status, ending.error_type) == (EndingStatus.FAILED, "ValueError")
    assert "seconds of RetryLater" in (ending.error_message or "")


@pytest.mark.parametrize("seconds", [0, 0.001, 31_622_400])
def test_a_retry_may_come_at_once_or_in_a_year(hall: Hall, seconds: float) -> None:
    ending = hall.run("Raises", {"what": "retry in", "seconds": str(seconds)})
    assert (ending.status, ending.delay_s) == (EndingStatus.RETRY_LATER, seconds)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("segfault", "worker was killed by SIGSEGV"),
        ("exit 0", "worker exited with code 0 without a result"),
        ("exit 9", "worker exited with code 9 without a result"),
        ("SIGKILL", "worker was killed by SIGKILL"),
        ("abort", "worker was killed by SIGABRT"),
        ("closes fds", "closed or overwrote the file descriptors"),
        ("reuses fds", "closed or overwrote the file descriptors"),
    ],
)
def test_a_worker_that_dies_ends_one_attempt_is_named_and_replaced(hall: Hall, how: str, said: str) -> None:
    order = hall.submit("Dies", {"how": how})
    ending = hall.ending(order)
    # closed descriptors are noticed at the next message, after all phases
    assert ending.phase is (Phase.VALIDATE if "fds" in how else Phase.CALCULATE)
    assert ending.status is EndingStatus.FAILED
    assert said in (ending.error_message or "")
    assert ending.started_at == hall.started(order).at
    assert "last words" in (ending.log or "")
    assert "and from C" in (ending.log or "")
    assert hall.run("Simple", {"returns": 1}).result == 1


def test_a_leak_ends_at_its_limit_as_out_of_memory_and_the_worker_goes(hall: Hall) -> None:
    ending = hall.run("Leaks", memory_limit_bytes=64 << 20)
    assert (ending.status, ending.error_type) == (EndingStatus.FAILED, "OutOfMemory")
    assert hall.run("Evil", {"expression": "len(bytearray(128 << 20))"}).result == 128 << 20


def test_prints_keep_their_last_64_kib_and_kill_nothing(hall: Hall) -> None:
    ending = hall.run("Prints", {"python_mb": 50, "shell_mb": 50})
    assert ending.status is EndingStatus.COMPLETED
    assert ending.log is not None
    assert ending.log.endswith("the end\n")
    assert ending.log.startswith("... ")
    assert len(ending.log) < 70_000


def test_a_memory_limit_ends_with_its_attempt(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    limited = hall.run("Evil", {"expression": "len(bytearray(16 << 20))"}, memory_limit_bytes=64 << 20)
    assert limited.result == 16 << 20
    assert hall.run("Evil", {"expression": "len(bytearray(128 << 20))"}).result == 128 << 20


def test_what_is_printed_from_c_and_from_python_keeps_its_order(hall: Hall) -> None:
    assert hall.run("Alternates").log == "".join(f"C {n}\nP {n}\n" for n in range(200))


def test_the_log_of_one_attempt_is_not_in_the_next(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    assert hall.run("Prints", {"python_mb": 1, "shell_mb": 0}).log is not None
    assert hall.run("Simple").log is None


@pytest.mark.parametrize("dies", [False, True])
def test_children_left_behind_are_dead_when_the_attempt_has_ended(hall: Hall, dies: bool) -> None:
    ending = hall.run("Leaves", {"dies": dies})
    pids = list(map(int, hall.told("pids").split())) if dies else ending.result
    assert len(pids) == 3
    assert alive(pids) == []


@pytest.mark.parametrize("by", ["Python", "C"])
def test_a_forked_child_that_comes_back_from_the_task_says_nothing(hall: Hall, by: str) -> None:
    order = hall.submit("Forks", {"by": by})
    assert hall.ending(order).result == "parent"
    assert hall.run("Simple", {"returns": 1}).result == 1
    assert hall.ran_once(order)


@pytest.mark.parametrize(
    "what", ["cwd", "umask", "locale", "signal mask", "handlers", "environment", "thread", "stdout", "limits"]
)
def test_what_a_task_spoils_does_not_reach_the_next(open_hall: OPEN_HALL, what: str) -> None:
    hall = open_hall(capacity=1)
    before = hall.run("Report").result
    spoiler = hall.run("Spoils", {"what": what})
    assert spoiler.result == before["pid"]
    after = hall.run("Report").result
    assert after.pop("pid") != before.pop("pid")
    assert after == before


def test_a_well_behaved_task_leaves_its_worker_to_the_next(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1)
    assert hall.run("Report").result == hall.run("Report").result


@pytest.mark.parametrize(
    ("entrypoint", "said"),
    [
        ("os:system", "outside tasks.allowed_modules"),
        ("ill_behaved_too:Simple", "outside tasks.allowed_modules"),
        ("ill_behaved:Simple.__class__", "no entrypoint"),
        ("ill_behaved:__builtins__", "no entrypoint"),
        ("ill_behaved:os.system", "no entrypoint"),
        ("ill_behaved:Absent", "has no Absent"),
        ("ill_behaved:Nothing", "not a subclass of DistributeTask"),
        ("ill_behaved:DistributeTask", "not a subclass of DistributeTask"),
        ("not_there:Simple", "ModuleNotFoundError"),
        ("raises_on_import:Task", "SystemExit"),
        ("exits_on_import:Task", "worker exited with code 0"),
        ("hangs_on_import:Task", "importing it took longer than 0.5 s"),
    ],
)
def test_what_cannot_be_run_here_is_declined_and_nothing_of_it_begins(
    open_hall: OPEN_HALL, entrypoint: str, said: str
) -> None:
    hall = open_hall(import_timeout_s=0.5)
    hall.run("Simple")
    order = hall.submit(entrypoint)
    ending = hall.ending(order)
    assert (ending.status, ending.decline) == (EndingStatus.FAILED, True)
    assert said in (ending.error_message or "")
    assert not [event for event in hall.of(order) if isinstance(event, AttemptStarted)]
    hall.workers.check(entrypoint, "python")
    checked = hall.wait(EntrypointChecked)
    assert said in (checked.problem or "")


@pytest.mark.parametrize("checked_first", [False, True])
def test_what_an_import_does_to_its_process_reaches_neither_the_node_nor_the_next_task(
    open_hall: OPEN_HALL, checked_first: bool
) -> None:
    hall = open_hall(capacity=1)
    before = hall.run("Report").result
    here = Path.cwd()
    if checked_first:
        hall.workers.check("spoils_on_import:Task", "python")
        assert hall.wait(EntrypointChecked).problem is None
    else:
        done = hall.run("spoils_on_import:Task")
        assert (done.status, done.result["pid"]) == (EndingStatus.COMPLETED, before["pid"])
        assert alive([done.result["child"]]) == []
    after = hall.run("Report").result
    assert after.pop("pid") != before.pop("pid")
    assert after == before
    assert Path.cwd() == here
    assert "spoils_on_import" not in sys.modules


def test_checking_a_good_entrypoint_finds_no_problem(hall: Hall) -> None:
    hall.workers.check("ill_behaved:Simple", "python")
    assert hall.wait(EntrypointChecked).problem is None


def test_a_worker_that_dies_idle_is_replaced(open_hall: OPEN_HALL) -> None:
    hall = open_hall(capacity=1, minimum=1)
    first = hall.run("Report").result["pid"]
    os.kill(first, signal.SIGKILL)
    hall.wait(WorkersChanged, lambda event: event.restarts == 1 and event.alive == 1)
    assert hall.run("Report").result["pid"] != first
