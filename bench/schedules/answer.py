"""What is printed: what each system keeps beside ours, and each step of each."""

from __future__ import annotations

from collections.abc import Sequence

from bench.schedules.burst import Burst
from bench.schedules.row import Row
from bench.schedules.step import Step

OURS = "Shardkeeper"
HEAD = (
    "system",
    "isolation",
    "schedules kept",
    "fires/s kept",
    "of ours",
    "p50 there",
    "p99",
    "burst",
    "of ours",
)
STEPS_HEAD = ("system", "schedules", "due", "ran", "> 1 s late", "lost", "p50", "p99", "cores")
NONE = "–"


def summary(rows: Sequence[Row], top: int) -> list[list[str]]:
    """A line for each system, under HEAD. ``top``: the highest step of the ladder."""
    ours = next((row for row in rows if row.system == OURS), None)
    return [_line(row, ours, top) for row in rows]


def steps(rows: Sequence[Row]) -> list[list[str]]:
    """A line for each system and size, under STEPS_HEAD."""
    return [_step(row, step) for row in rows for step in row.steps]


def notes(rows: Sequence[Row]) -> list[str]:
    """One line for each system."""
    return [f"{row.system}: {'; '.join((*row.notes, *row.problems))}." for row in rows]


def _line(row: Row, ours: Row | None, top: int) -> list[str]:
    best = row.step(row.kept)
    more = "≥ " if row.kept == top else ""
    return [
        row.system,
        row.isolation,
        f"{more}{row.kept:,}" if row.steps else NONE,
        f"{more}{row.kept_per_s:,.0f}" if row.steps else NONE,
        _ratio(row.kept_per_s if row.steps else None, ours.kept_per_s if ours else None),
        _ms(best.p50_ms if best else None),
        _ms(best.p99_ms if best else None),
        _burst(row.burst),
        _burst_ratio(row, ours),
    ]


def _step(row: Row, step: Step) -> list[str]:
    counts = (step.schedules, step.due, step.ran, step.late, step.lost)
    return [
        row.system,
        *(f"{count:,}" for count in counts),
        _ms(step.p50_ms),
        _ms(step.p99_ms),
        f"{step.cores:.2f}",
    ]


def _burst(burst: Burst | None) -> str:
    if burst is None or not burst.started:
        return NONE
    told = f"{burst.schedules:,} in {burst.seconds:.2f} s"
    return told if burst.is_whole else f"{burst.started:,} of {told}"


def _burst_ratio(row: Row, ours: Row | None) -> str:
    """Of bursts of one size that started as a whole."""
    one, other = row.burst, ours.burst if ours else None
    if (
        one is None
        or other is None
        or one.schedules != other.schedules
        or not (one.is_whole and other.is_whole)
    ):
        return NONE
    return _ratio(one.seconds, other.seconds)


def _ratio(value: float | None, ours: float | None) -> str:
    return f"{value / ours:.2f}" if value is not None and ours else NONE


def _ms(value: float | None) -> str:
    return NONE if value is None else f"{value:,.1f} ms"
