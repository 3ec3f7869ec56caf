"""A history that keeps every promise, small enough to be read, and ways to change it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.faults.bands import Band
from bench.faults.history import Alert, Attempt, History, Job, Lease, Run, Version
from bench.faults.options import Options
from bench.faults.stream import Promise
from bench.faults.witness import Execution

AT = 1_800_000_000.0
"""When it begins. Divisible by 60: `every` and cron meet there."""
ONE, TWO = "faults-1", "faults-2"
OPTIONS = Options(nodes=2, session_timeout_s=6.0, on_time_window_s=30.0)
"""So the lease is 4 s."""
FOREVER = AT + 1000.0


def job(name: str, kind: str = "noop", every_s: float | None = None, **columns: object) -> Job:
    """One that is in force from the beginning on; on demand without ``every_s``."""
    every_us = None if every_s is None else round(every_s * 1_000_000)
    given = {"max_attempts": 4, "max_takeovers": 20} | columns
    return replace(Job(name, kind, (Version(AT, None, every_us, AT + 25.5),)), **given)  # type: ignore[arg-type]


def run(number: int, name: str, fire_s: float, **columns: object) -> Run:
    """One that was created 4 ms after its fire time and has COMPLETED 100 ms after it."""
    at = AT + fire_s
    given = Run(number, name, at, created_at=at + 0.004, finished_at=at + 0.1)
    return replace(given, **columns)  # type: ignore[arg-type]


def record(number: int, name: str, fire_s: float, until_s: float, count: int, **columns: object) -> Run:
    """Fires that were MISSED, written 41 s after the last of them."""
    given = Run(
        number,
        name,
        AT + fire_s,
        "misfire",
        "MISSED",
        "misfire policy once: only the latest fire runs",
        AT + until_s,
        count,
        created_at=AT + until_s + 41.0,
        finished_at=AT + until_s + 41.0,
    )
    return replace(given, **columns)  # type: ignore[arg-type]


def attempt(number: int, begins_s: float, item: int = 0, count: int = 1, **columns: object) -> Attempt:
    """Of run ``number``: claimed 2 ms before it begins, COMPLETED at node one, with the token of `execution`."""
    at = AT + begins_s
    given = Attempt(
        number,
        item,
        count,
        node=ONE,
        incarnation="a",
        claimed_at=at - 0.002,
        finished_at=at + 0.01,
        token=f"{number}/{item}/{count}",
    )
    return replace(given, **columns)  # type: ignore[arg-type]


def execution(
    number: int, name: str, begins_s: float, item: int = 0, count: int = 1, **columns: object
) -> Execution:
    """The one of `attempt`: it takes 10 ms, in success."""
    at = AT + begins_s
    given = Execution(f"{number}/{item}/{count}", number, name, item, count, ONE, at, at + 0.01, "ended")
    return replace(given, **columns)  # type: ignore[arg-type]


def history(
    jobs: Sequence[Job],
    runs: Sequence[Run],
    attempts: Sequence[Attempt] = (),
    executions: Sequence[Execution] = (),
    **columns: object,
) -> History:
    """Two nodes that live all the time, swept to the end."""
    by_run: dict[int, list[Attempt]] = {}
    for one in sorted(attempts, key=lambda one: (one.run, one.item, one.number)):
        by_run.setdefault(one.run, []).append(one)
    given = History(
        OPTIONS,
        {one.name: one for one in jobs},
        {one.id: one for one in runs},
        by_run,
        executions,
        healed_at=AT + 25.0,
        swept_until=AT + 30.0,
        leases=(Lease("a", ONE, 1, "active", AT - 5.0), Lease("b", TWO, 2, "active", AT - 4.0)),
    )
    return replace(given, **columns)  # type: ignore[arg-type]


def band(kind: str, target: str, began_s: float, healed_s: float) -> Band:
    """Counted from the beginning."""
    return Band(kind, target, AT + began_s, AT + healed_s)


def alert(kind: str, about: Run, message: int, **columns: object) -> Alert:
    """Sent 2 s after the event, as the ``message``-th message."""
    at = about.finished_at or 0.0
    key = f"run:{about.id}:{kind}"
    given = Alert(key, kind, about.job, about.id, at, at + 2.0, f"1700000000.{message:06d}")
    return replace(given, **columns)  # type: ignore[arg-type]


def promise(key: str, name: str, *answers: int) -> Promise:
    """Given as often as it was answered."""
    return Promise(key, name, max(1, len(answers)), list(answers))


def good() -> History:
    """Fires that ran, one of two items; one that was skipped, one that was missed, one that failed for good and was
    rolled back, values, checkpoints through a takeover, and a submission that was given twice."""
    failed = run(50, "undone", 15.0, status="FAILED", finished_at=AT + 15.5)
    jobs = [
        job("ticks", every_s=10.0, items=2),
        job("ticks-too", every_s=10.0, overlap="skip"),
        job("valued", "values", every_s=20.0),
        job("stepping", "steps", every_s=20.0, overlap="allow"),
        job("undone", "undone", every_s=15.0, max_attempts=1),
        job("demand-noop"),
    ]
    # each job is due at 0 too, as it is in force from then on
    runs = [
        *(run(number, "ticks", fire_s, items=2) for number, fire_s in ((1, 0.0), (2, 10.0), (3, 20.0))),
        run(10, "ticks-too", 0.0, finished_at=AT + 10.2),
        run(11, "ticks-too", 10.0, status="SKIPPED", reason="run 10 (ticks-too@then) is in the way"),
        run(12, "ticks-too", 20.0),
        run(20, "valued", 0.0),
        run(21, "valued", 20.0),
        run(30, "stepping", 0.0),
        run(31, "stepping", 20.0, finished_at=AT + 29.0),
        run(49, "undone", 0.0, status="FAILED", finished_at=AT + 0.5),
        failed,
        run(60, "demand-noop", 5.0, trigger_kind="submit", key="k1"),
    ]
    ticks = [
        (number, fire_s + 0.005, item) for number, fire_s in ((1, 0), (2, 10), (3, 20)) for item in (0, 1)
    ]
    singles = {10: ("ticks-too", 0.0), 12: ("ticks-too", 20.0), 20: ("valued", 0.0), 21: ("valued", 20.0)}
    singles |= {30: ("stepping", 0.0), 60: ("demand-noop", 5.0)}
    attempts = [
        *(attempt(number, at, item) for number, at, item in ticks),
        *(
            attempt(number, fire_s + 0.005, token=None if name == "valued" else f"{number}/0/1")
            for number, (name, fire_s) in singles.items()
        ),
        attempt(31, 20.005, status="LOST", done=3, token=None, finished_at=AT + 26.0),
        attempt(31, 26.5, count=2, node=TWO, incarnation="b"),
        *(
            attempt(number, at, status="FAILED", error_type="RuntimeError", token=None, compensable=True)
            for number, at in ((49, 0.005), (50, 15.005))
        ),
        *(
            attempt(number, at, count=2, token=None, compensates=True)
            for number, at in ((49, 0.2), (50, 15.2))
        ),
    ]
    executions = [
        *(execution(number, "ticks", at, item) for number, at, item in ticks),
        *(execution(number, name, fire_s + 0.005) for number, (name, fire_s) in singles.items()),
        execution(31, "stepping", 20.005, ending=None, last=AT + 21.9),
        execution(31, "stepping", 26.5, count=2, node=TWO, found=3),
        *(execution(number, "undone", at, ending="failed") for number, at in ((49, 0.005), (50, 15.005))),
        *(
            execution(number, "undone", at, count=2, ending="compensated")
            for number, at in ((49, 0.2), (50, 15.2))
        ),
    ]
    return history(
        jobs,
        runs,
        attempts,
        executions,
        values={(number, 0): _values(f"{number}/0/1") for number in (20, 21)},
        bands=[band("node killed", ONE, 22.0, 25.0)],
        promises=[promise("k1", "demand-noop", 60, 60)],
        alerts=[alert("failed", runs[10], 1), alert("failed", failed, 2)],
        messages=["[t] undone 1/1 items FAILED in calculate", "[t] undone 1/1 items FAILED in calculate"],
        left={"open runs": 0, "alerts to be sent": 0},
    )


def outage() -> History:
    """PostgreSQL was away from 2 to 62, with a lease of 4 s: a job that is made up for by policy `once`, one whose task
    ended meanwhile, and one that must not overlap, which was killed."""
    jobs = [
        Job("once", "noop", (Version(AT, None, 15_000_000, AT + 70.5),), max_attempts=4),
        Job("ended", "noop", (Version(AT, None, 100_000_000, AT + 70.5),), max_attempts=4),
        Job(
            "careful",
            "careful",
            (Version(AT, None, 100_000_000, AT + 70.5),),
            max_attempts=4,
            on_lease_loss="stop",
            max_takeovers=20,
        ),
    ]
    runs = [
        run(1, "once", 0.0),
        record(2, "once", 15.0, 15.0, 1, created_at=AT + 66.0),
        run(3, "once", 30.0, trigger_kind="misfire", created_at=AT + 66.0, finished_at=AT + 66.1),
        run(4, "once", 45.0, created_at=AT + 62.5, finished_at=AT + 62.6),
        run(5, "once", 60.0, created_at=AT + 62.5, finished_at=AT + 62.6),
        run(10, "ended", 0.0, finished_at=AT + 63.0),
        run(20, "careful", 0.0, finished_at=AT + 63.0),
    ]
    begins = {1: 0.005, 3: 66.01, 4: 62.51, 5: 62.51}
    attempts = [
        *(attempt(number, at) for number, at in begins.items()),
        attempt(10, 0.005),
        # killed at the end of the lease, given back, and claimed again
        attempt(20, 62.4, claim_no=2, token="again"),
    ]
    executions = [
        *(execution(number, "once", at) for number, at in begins.items()),
        execution(10, "ended", 0.005, last=AT + 9.0),
        execution(20, "careful", 0.005, ending=None, last=AT + 5.8),
        execution(20, "careful", 62.4, token="again"),
    ]
    return history(
        jobs,
        runs,
        attempts,
        executions,
        bands=[band("PostgreSQL away", "", 2.0, 62.0)],
        alerts=[alert("missed", runs[1], 1)],
        messages=["[t] once MISSED 1 fire"],
        swept_until=AT + 71.0,
    )


def _values(token: str) -> Mapping[str, str]:
    return {f"value-{number}": token for number in range(3)}
