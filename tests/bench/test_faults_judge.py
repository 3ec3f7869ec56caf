"""The judge of the faults is shown histories that keep the promises, and ones that break each of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from bench.faults.history import History, Run
from bench.faults.judge import PROMISES, judge
from tests.bench.faults_histories import (
    AT,
    ONE,
    TWO,
    alert,
    attempt,
    band,
    execution,
    good,
    outage,
    promise,
    record,
    run,
)

Change = Callable[[History], History]


def changed_run(number: int, **columns: object) -> Change:
    def change(given: History) -> History:
        new = replace(given.runs[number], **columns)  # type: ignore[arg-type]
        return replace(given, runs={**given.runs, number: new})

    return change


def more_runs(*runs: Run) -> Change:
    return lambda given: replace(given, runs={**given.runs, **{one.id: one for one in runs}})


def without_run(number: int) -> Change:
    """Nor its attempts and what its tasks told."""

    def change(given: History) -> History:
        return replace(
            given,
            runs={key: one for key, one in given.runs.items() if key != number},
            attempts={key: own for key, own in given.attempts.items() if key != number},
            executions=[one for one in given.executions if one.run != number],
        )

    return change


def changed_attempt(number: int, item: int = 0, count: int = 1, **columns: object) -> Change:
    def change(given: History) -> History:
        own = [
            replace(one, **columns) if (one.item, one.number) == (item, count) else one  # type: ignore[arg-type]
            for one in given.attempts[number]
        ]
        return replace(given, attempts={**given.attempts, number: own})

    return change


def more_attempts(number: int, *counts: int, **columns: object) -> Change:
    """Of item 0."""

    def change(given: History) -> History:
        new = [attempt(number, 9.0, count=count, **columns) for count in counts]  # type: ignore[arg-type]
        own = sorted([*given.attempts.get(number, ()), *new], key=lambda one: (one.item, one.number))
        return replace(given, attempts={**given.attempts, number: own})

    return change


def changed_execution(number: int, item: int = 0, count: int = 1, **columns: object) -> Change:
    def change(given: History) -> History:
        executions = [
            replace(one, **columns)  # type: ignore[arg-type]
            if (one.run, one.item, one.attempt) == (number, item, count)
            else one
            for one in given.executions
        ]
        return replace(given, executions=executions)

    return change


def one_more_execution(number: int, name: str, begins_s: float, **columns: object) -> Change:
    more = execution(number, name, begins_s, **columns)  # type: ignore[arg-type]
    return lambda given: replace(given, executions=[*given.executions, more])


def without_execution(number: int, *counts: int) -> Change:
    return lambda given: replace(
        given, executions=[one for one in given.executions if one.run != number or one.attempt not in counts]
    )


def told(kind: str, about: Run) -> Change:
    """One more alert, in one more message."""
    return lambda given: replace(
        given,
        alerts=[*given.alerts, alert(kind, about, len(given.messages) + 1)],
        messages=[*given.messages, f"[t] {about.job} {kind}"],
    )


def columns(**new: object) -> Change:
    return lambda given: replace(given, **new)  # type: ignore[arg-type]


def changed_job(name: str, **new: object) -> Change:
    def change(given: History) -> History:
        return replace(given, jobs={**given.jobs, name: replace(given.jobs[name], **new)})  # type: ignore[arg-type]

    return change


def together(*changes: Change) -> Change:
    def change(given: History) -> History:
        for one in changes:
            given = one(given)
        return given

    return change


def violations(given: History) -> list[str]:
    return [str(violation) for violation in judge(given)]


def died(count: int = 1) -> Change:
    """An attempt of run 10, with its worker; the next one begins at 9.0 and COMPLETES."""
    return together(
        changed_attempt(10, count=count, status="FAILED", error_type="WorkerDied", token=None),
        changed_execution(10, count=count, ending=None, began=AT + count / 10, last=AT + count / 10 + 0.01),
        more_attempts(10, count + 1),
        one_more_execution(10, "ticks-too", 9.0, count=count + 1),
    )


def doubled(given: History) -> History:
    """Run 10's only attempt goes on for 2 s; a second one begins at 1.0 at node two."""
    return together(
        changed_attempt(10, status="LOST", token=None),
        changed_execution(10, last=AT + 2.0, ending="ended"),
        more_attempts(10, 2, node=TWO, claimed_at=AT + 0.9),
        one_more_execution(10, "ticks-too", 1.0, count=2, node=TWO),
    )(given)


def pushed(kind: str, target: str = ONE, began_s: float = 0.001, healed_s: float = 0.9) -> Change:
    return lambda given: replace(given, bands=[band(kind, target, began_s, healed_s), *given.bands])


MISSED = record(70, "ticks", 10.0, 10.0, 1)
TWO_MISSED = replace(MISSED, missed_count=2)
GOOD: dict[str, tuple[Callable[[], History], Change]] = {
    "as it is": (good, together()),
    "PostgreSQL away": (outage, together()),
    "swept within ten seconds": (outage, changed_run(3, created_at=AT + 71.9, finished_at=AT + 72.9)),
    "a worker was killed": (good, together(died(), pushed("workers killed", began_s=0.01))),
    "an overlap with one that was paused": (good, together(doubled, pushed("node paused for long"))),
    "an overlap with one that was cut off": (good, together(doubled, pushed("link to PostgreSQL cut"))),
    "an overlap with one that was paused before it began": (
        good,
        together(
            doubled, changed_execution(10, began=AT + 1.005, last=AT + 1.02), pushed("node paused for long")
        ),
    ),
    "an overlap while PostgreSQL was restarted": (
        good,
        together(doubled, pushed("PostgreSQL restarted", "")),
    ),
    "a digest": (
        good,
        columns(
            messages=["[t] 2 alerts: 2 failed"],
            alerts=[alert("failed", good().runs[number], 1) for number in (49, 50)],
        ),
    ),
    "queued behind another in ZooKeeper's absence": (
        good,
        together(
            pushed("ZooKeeper away", "", 9.0, 15.0),
            changed_job("ticks", overlap="queue"),
            changed_run(1, finished_at=AT + 12.0),
            changed_execution(2, 0, began=AT + 12.1, last=AT + 12.2),
            changed_execution(2, 1, began=AT + 12.1, last=AT + 12.2),
        ),
    ),
}
BAD: dict[str, tuple[Callable[[], History], Change]] = {
    # fires
    "fires: ticks was due at 1800000010.000000, and nothing tells of it": (good, without_run(2)),
    "covers 1800000010.000000, as run 2 does": (good, together(more_runs(MISSED), told("missed", MISSED))),
    "stands for a fire that was never due": (good, changed_run(2, fire_time=AT + 9.5, created_at=AT + 9.6)),
    "counts 2 fires where 1 were due": (
        good,
        together(without_run(2), more_runs(TWO_MISSED), told("missed", TWO_MISSED)),
    ),
    "was created 0.500 s before its fire time": (good, changed_run(2, created_at=AT + 9.5)),
    "run 10 (ticks-too@then) is in the way, which was not there at the time": (
        good,
        changed_run(10, finished_at=AT + 5.0),
    ),
    "is in the way, by policy allow": (good, changed_job("ticks-too", overlap="allow")),
    "has no right to be SKIPPED: the weather": (good, changed_run(11, reason="the weather")),
    "was created 41.0 s after its fire time, when it was the sweep's": (
        good,
        changed_run(2, created_at=AT + 51.0),
    ),
    "was given up as MISSED when it was only 9.0 s old": (outage, changed_run(2, created_at=AT + 24.0)),
    "has no right to be MISSED: no eligible node": (outage, changed_run(2, reason="no eligible node")),
    "was not run on time (made up for) although nothing was broken": (
        good,
        together(columns(bands=[]), changed_run(2, trigger_kind="misfire", created_at=AT + 51.0)),
    ),
    "the sweep is 6 s behind the end of the jobs": (good, columns(swept_until=AT + 20.0)),
    "runs of gone stand without such a job": (
        good,
        more_runs(record(70, "gone", 10.0, 10.0, 1, status="SKIPPED")),
    ),
    # submissions
    "k2 of demand-noop was promised as [61] and has 0 runs": (
        good,
        columns(promises=[promise("k1", "demand-noop", 60), promise("k2", "demand-noop", 61)]),
    ),
    "k1 of demand-noop was promised as [60, 60] and has 2 runs": (
        good,
        together(
            more_runs(run(61, "demand-noop", 5.0, trigger_kind="submit", key="k1")),
            more_attempts(61, 1),
            one_more_execution(61, "demand-noop", 9.0),
        ),
    ),
    "run 60 k1 of demand-noop was answered with [60, 61]": (
        good,
        columns(promises=[promise("k1", "demand-noop", 60, 61)]),
    ),
    "k2 of demand-noop was given 1 times and never answered": (
        good,
        columns(promises=[promise("k1", "demand-noop", 60), promise("k2", "demand-noop")]),
    ),
    "nobody submitted k1 of demand-noop": (good, columns(promises=[])),
    # rest
    "rest: 3 open runs are left": (good, columns(left={"open runs": 3})),
    # endings
    "it is not closed, with 1 open items": (good, changed_run(10, finished_at=None, open_items=1)),
    "it has attempts of the items [0, 1], not of 3": (good, changed_run(1, items=3)),
    "run 10 of ticks-too is FAILED: its items ended as COMPLETED": (
        good,
        together(changed_run(10, status="FAILED"), told("failed", good().runs[10])),
    ),
    "nobody has stopped it": (
        good,
        together(changed_run(10, status="STOPPED"), changed_attempt(10, status="STOPPED")),
    ),
    "a poison cannot complete": (good, changed_job("ticks-too", kind="poison")),
    "item 0 was given up after 0 of 4 tries, LOST": (
        good,
        together(
            changed_run(10, status="FAILED"),
            changed_attempt(10, status="LOST"),
            told("failed", good().runs[10]),
        ),
    ),
    "is SKIPPED and has 1 attempts": (
        good,
        together(more_attempts(11, 1), one_more_execution(11, "ticks-too", 10.1)),
    ),
    "died with a worker that nobody had killed": (good, died()),
    "failed by no fault: item 0, attempt 1: TypeError: None": (
        good,
        together(died(), changed_attempt(10, error_type="TypeError")),
    ),
    "item 0 was not rolled back: []": (
        good,
        together(
            lambda given: replace(given, attempts={**given.attempts, 50: list(given.attempts[50][:1])}),
            without_execution(50, 2),
        ),
    ),
    # attempts
    "2 of its attempts are COMPLETED": (
        good,
        together(more_attempts(10, 2), one_more_execution(10, "ticks-too", 9.0, count=2)),
    ),
    "its attempts are numbered [2]": (
        good,
        together(
            lambda given: replace(
                given, attempts={**given.attempts, 10: [replace(given.attempts[10][0], number=2)]}
            ),
            changed_execution(10, attempt=2),
        ),
    ),
    "an attempt is RUNNING": (good, more_attempts(10, 2, status="RUNNING", token=None)),
    "it was tried 2 times, 1 allowed": (
        good,
        together(
            changed_job("ticks-too", max_attempts=1),
            pushed("workers killed", began_s=0.01),
            died(),
            died(2),
        ),
    ),
    "it was lost 1 times, -1 allowed": (good, changed_job("stepping", max_takeovers=-1)),
    "has attempts, and is gone": (good, more_attempts(99, 1, status="LOST")),
    # witnesses
    "is of an attempt that there is not": (good, one_more_execution(10, "ticks-too", 9.0, count=7)),
    "began 0.005 s before its fire time": (good, changed_execution(10, began=AT - 0.005)),
    "told its success, and is FAILED RuntimeError": (good, changed_execution(50, ending="ended")),
    "item 0, attempt 1 was executed 2 times under 1 claims": (
        good,
        one_more_execution(10, "ticks-too", 9.0, token="again"),
    ),
    "item 0, attempt 1 is COMPLETED, and no execution of it has told its end": (
        good,
        without_execution(10, 1),
    ),
    "run 12 item 0, attempt 1 is COMPLETED, and no execution": (good, changed_attempt(12, token="another's")),
    "is COMPLETED, and was not executed under its claim": (good, changed_attempt(10, claimed_at=AT + 5.0)),
    "run 12 item 0, attempt 1 is COMPLETED, and was not": (good, changed_attempt(12, node=TWO)),
    "went on from step 2, and step 3 was recorded": (good, changed_execution(31, 0, 2, found=2)),
    "went on from step 4, and step 3 was recorded": (good, changed_execution(31, 0, 2, found=4)),
    "began beside attempt 1 on faults-1, which was neither paused nor cut off, and went on for 0.010 s": (
        good,
        doubled,
    ),
    "began beside attempt 1 on faults-1": (good, together(doubled, pushed("node paused for long", TWO))),
    "neither paused nor cut off": (good, together(doubled, pushed("link to ZooKeeper cut"))),
    # lease_loss
    "lived on for 3.000 s after the lease of its node had ended": (
        outage,
        changed_execution(20, last=AT + 9.0),
    ),
    "overlapped with attempt 2 on faults-2": (
        good,
        together(doubled, pushed("link to PostgreSQL cut"), changed_job("ticks-too", on_lease_loss="stop")),
    ),
    # values
    "run 20 item 0 has the values ['value-0'], not ['value-0', 'value-1', 'value-2']": (
        good,
        lambda given: replace(given, values={**given.values, (20, 0): {"value-0": "20/0/1"}}),
    ),
    "item 0 has values of 2 executions": (
        good,
        lambda given: replace(
            given, values={**given.values, (20, 0): {**given.values[20, 0], "value-2": "another's"}}
        ),
    ),
    "run 10 item 0 has the values ['value-0'], not []": (
        good,
        lambda given: replace(given, values={**given.values, (10, 0): {"value-0": "10/0/1"}}),
    ),
    # alerts
    "run 50 has no alert that it is failed": (good, lambda given: replace(given, alerts=given.alerts[:1])),
    "run 50 has 2 alerts that it is failed": (
        good,
        lambda given: replace(given, alerts=[*given.alerts, replace(given.alerts[1], event_key="again")]),
    ),
    "run 10 has an alert that it is failed, and is not": (
        good,
        told("failed", good().runs[10]),
    ),
    "run:50:declined (declined) is of nothing that is so": (good, told("declined", good().runs[50])),
    "run:50:failed was not delivered: no answer": (
        good,
        lambda given: replace(
            given,
            alerts=[given.alerts[0], replace(given.alerts[1], sent_at=None, problem="no answer")],
        ),
    ),
    "run:50:failed was not delivered: None": (
        good,
        lambda given: replace(given, alerts=[given.alerts[0], replace(given.alerts[1], gave_up=True)]),
    ),
    "sent as message 1700000000.000002, of which Slack knows nothing": (
        good,
        lambda given: replace(given, messages=given.messages[:1]),
    ),
    "sent as '[t] another 1/1 items FAILED'": (
        good,
        lambda given: replace(given, messages=[given.messages[0], "[t] another 1/1 items FAILED"]),
    ),
    "2 alerts are sent as '[t] 1 alert: 1 failed'": (
        good,
        columns(
            messages=["[t] 1 alert: 1 failed"],
            alerts=[alert("failed", good().runs[number], 1) for number in (49, 50)],
        ),
    ),
    # leases
    "faults-1 has 2 living incarnations": (
        good,
        lambda given: replace(given, leases=[*given.leases, replace(given.leases[0], incarnation="c")]),
    ),
    "2 attempts are RUNNING under a of faults-1 (dead)": (
        good,
        lambda given: replace(
            given, leases=[replace(given.leases[0], state="dead", running=2), given.leases[1]]
        ),
    ),
    # outages
    "item 1 began 1.200 s late without ZooKeeper": (
        good,
        together(
            pushed("ZooKeeper away", "", 9.0, 15.0),
            changed_execution(2, 1, began=AT + 11.2, last=AT + 11.3),
        ),
    ),
    "was not run on time without ZooKeeper: MISSED misfire policy once": (
        good,
        together(
            pushed("ZooKeeper away", "", 9.0, 15.0),
            without_run(2),
            more_runs(MISSED),
            told("missed", MISSED),
        ),
    ),
    "1 fires of once in the absence of PostgreSQL were accounted for only 12.5 s after its return": (
        outage,
        changed_run(2, created_at=AT + 74.5),
    ),
    "1 fires of once in the absence of PostgreSQL were accounted for only 11.0 s after its return": (
        outage,
        changed_run(4, created_at=AT + 73.0),
    ),
    "item 0, attempt 1 ended in the absence of PostgreSQL, and is LOST Lost": (
        outage,
        together(
            changed_attempt(10, status="LOST", error_type="Lost", finished_at=AT + 66.0, token=None),
            more_attempts(10, 2, claimed_at=AT + 66.9),
            one_more_execution(10, "ended", 67.0, count=2),
        ),
    ),
}


@pytest.mark.parametrize("name", GOOD)
def test_what_keeps_the_promises_is_let_pass(name: str) -> None:
    given, change = GOOD[name]
    assert violations(change(given())) == []


@pytest.mark.parametrize("text", BAD)
def test_what_breaks_a_promise_is_named(text: str) -> None:
    given, change = BAD[text]
    found = violations(change(given()))
    assert any(text in one for one in found), found
    assert len({one.partition(":")[0] for one in found}) == 1, "it breaks that promise and no other"


def test_every_promise_has_a_history_that_breaks_it() -> None:
    found = {str(violation.promise) for given, change in BAD.values() for violation in judge(change(given()))}
    assert found == {promise.PROMISE for promise in PROMISES}
