"""What is measured in a history: pure, seconds throughout."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from bench.faults.accounts import Accounts, accounts
from bench.faults.bands import Band
from bench.faults.history import Attempt, History
from bench.faults.lateness import Start, starts
from bench.faults.overlaps import overlaps
from bench.faults.weather import bands_over
from bench.figures import percentile

OUTSIDE = "outside faults"
INSIDE = "inside faults"
MADE_UP = "made up for"


@dataclass(frozen=True, slots=True)
class Spread:
    """Of so many samples."""

    count: int
    p50: float
    p99: float
    worst: float


@dataclass(frozen=True, slots=True)
class Takeovers:
    """From a node's death to its attempts running elsewhere. ``never``: those that did not begin again."""

    deaths: int
    attempts: int
    never: int
    median_s: float | None
    worst_s: float | None


@dataclass(frozen=True, slots=True)
class Overlapping:
    """``count``: executions that began beside an earlier one of their item; ``longest_s``: by the tasks' words."""

    count: int
    longest_s: float


@dataclass(frozen=True, slots=True)
class Recovery:
    """After PostgreSQL's return: until the first task began, and until each of the ``fires`` of its absence was
    accounted for. None: there was none."""

    away_s: float
    fires: int
    first_begin_s: float | None
    accounted_s: float | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """``messages``: what Slack received in all, digests counted once; ``longest_s``: from the event to its message."""

    alerts: int
    delivered: int
    messages: int
    longest_s: float


@dataclass(frozen=True, slots=True)
class Figures:
    """``lateness``: outside and inside faults, by kind of fault, and of what was made up for. ``overlapping``: by
    excuse. ``attempts``: by status. ``duplicates``: successes of an item beyond its first. ``promised``: submissions
    that were answered; ``kept``: those of them whose run has ended."""

    accounts: Accounts
    lateness: Mapping[str, Spread]
    takeovers: Takeovers
    overlapping: Mapping[str, Overlapping]
    recoveries: Sequence[Recovery]
    delivery: Delivery
    attempts: Mapping[str, int]
    duplicates: int
    promised: int
    kept: int


def figures(history: History) -> Figures:
    """All of them."""
    rows = [one for own in history.attempts.values() for one in own]
    answered = [promise for promise in history.promises if promise.answers]
    ended = {run.id for run in history.runs.values() if run.finished_at is not None}
    return Figures(
        accounts=accounts(history),
        lateness=_lateness(history),
        takeovers=_takeovers(history),
        overlapping=_overlapping(history),
        recoveries=[_recovery(history, band) for band in history.bands if band.kind == "PostgreSQL away"],
        delivery=_delivery(history),
        attempts=dict(Counter(one.status for one in rows)),
        duplicates=_duplicates(rows),
        promised=len(answered),
        kept=sum(promise.answers[-1] in ended for promise in answered),
    )


def spread(samples: Sequence[float]) -> Spread:
    """Raises ValueError without samples."""
    return Spread(len(samples), percentile(samples, 0.5), percentile(samples, 0.99), max(samples))


def fault_of(history: History, start: Start) -> str:
    """The kind of fault that an item's start belongs to: of several the one that began last."""
    if start.made_up:
        return MADE_UP
    over = list(bands_over(history, start.fire_time, start.fire_time))
    return max(over, key=lambda band: band.began).kind if over else OUTSIDE


def _lateness(history: History) -> dict[str, Spread]:
    found: dict[str, list[float]] = defaultdict(list)
    for start in starts(history):
        fault = fault_of(history, start)
        found[fault].append(start.late_s)
        if fault not in (OUTSIDE, MADE_UP):
            found[INSIDE].append(start.late_s)
    order = (OUTSIDE, INSIDE, *(band.kind for band in history.bands), MADE_UP)
    return {name: spread(found[name]) for name in order if found[name]}


def _takeovers(history: History) -> Takeovers:
    deaths = [band for band in history.bands if band.kind == "node killed"]
    lost = [list(_lost(history, band)) for band in deaths]
    after = [again for own in lost for again in own]
    times = [seconds for seconds in after if seconds is not None]
    return Takeovers(
        len(deaths),
        len(after),
        len(after) - len(times),
        median(times) if times else None,
        max(times, default=None),
    )


def _lost(history: History, band: Band) -> Iterator[float | None]:
    """How long after the death each attempt that the node had then began again; None: never."""
    for own in history.attempts.values():
        for row in own:
            held = row.claimed_at is not None and row.claimed_at <= band.began <= (row.finished_at or 0.0)
            if row.status == "LOST" and row.node == band.target and held:
                again = [
                    one.began
                    for one in history.executions_of.get((row.run, row.item), ())
                    if one.attempt > row.number
                ]
                yield min(again) - band.began if again else None


def _overlapping(history: History) -> dict[str, Overlapping]:
    found: dict[str, list[float]] = {"paused": [], "cut off": [], "neither": []}
    for overlap in overlaps(history):
        found[overlap.excuse or "neither"].append(overlap.seconds)
    return {excuse: Overlapping(len(lengths), max(lengths, default=0.0)) for excuse, lengths in found.items()}


def _recovery(history: History, band: Band) -> Recovery:
    begun = [one.began for one in history.executions if one.began >= band.healed]
    created = [
        run.created_at
        for runs in history.runs_of.values()
        for run in runs
        if band.began <= run.fire_time <= band.healed
    ]
    fires = sum(
        run.missed_count or 1
        for runs in history.runs_of.values()
        for run in runs
        if band.began <= run.fire_time <= band.healed
    )
    return Recovery(
        band.length_s,
        fires,
        min(begun) - band.healed if begun else None,
        max(0.0, max(created) - band.healed) if created else None,
    )


def _delivery(history: History) -> Delivery:
    waited = [alert.sent_at - alert.created_at for alert in history.alerts if alert.sent_at is not None]
    return Delivery(len(history.alerts), len(waited), len(history.messages), max(waited, default=0.0))


def _duplicates(rows: Sequence[Attempt]) -> int:
    successes = Counter((one.run, one.item, one.compensates) for one in rows if one.status == "COMPLETED")
    return sum(count - 1 for count in successes.values())
