"""One step of a ladder: so many schedules that fire again and again, and what became of their fires."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.beginnings import Beginning
from bench.figures import percentile

LATE_S = 1.0


@dataclass(frozen=True, slots=True)
class Window:
    """The fires that count: those due at ``since_s`` (whole seconds since the epoch) and every ``every_s`` seconds
    after, for ``seconds``."""

    since_s: int
    seconds: int
    every_s: int = 1

    def dues(self) -> range:
        return range(self.since_s, self.since_s + self.seconds, self.every_s)


@dataclass(frozen=True, slots=True)
class Step:
    """``late``: began more than LATE_S after they were due; ``lost``: had not begun when the watch ended; percentiles
    of lateness in milliseconds, of those that began, None where none did; ``cores``: processors in use."""

    schedules: int
    due: int
    ran: int
    late: int
    lost: int
    p50_ms: float | None
    p99_ms: float | None
    cores: float = 0.0

    def is_kept(self, limit_s: float) -> bool:
        """Whether all began, 99 of 100 of them within the limit."""
        return self.lost == 0 and self.p99_ms is not None and self.p99_ms <= limit_s * 1000


def judge(beginnings: Iterable[Beginning], schedules: int, window: Window, cores: float = 0.0) -> Step:
    """What became of the window's fires; of a fire that began twice the first counts."""
    dues = window.dues()
    first: dict[tuple[int, int], float] = {}
    for schedule, due_s, began_s in beginnings:
        if due_s in dues:
            fire = schedule, due_s
            first[fire] = min(began_s, first.get(fire, began_s))
    late_ms = [round((began_s - due_s) * 1000, 3) for (_, due_s), began_s in first.items()]
    due = schedules * len(dues)
    return Step(
        schedules,
        due,
        len(first),
        sum(late > LATE_S * 1000 for late in late_ms),
        due - len(first),
        percentile(late_ms, 0.5) if late_ms else None,
        percentile(late_ms, 0.99) if late_ms else None,
        cores,
    )


def median_step(steps: Sequence[Step]) -> Step:
    """Of steps of one size, at least one: each figure's median, of those that have it."""
    return Step(
        steps[0].schedules,
        steps[0].due,
        int(median(step.ran for step in steps)),
        int(median(step.late for step in steps)),
        int(median(step.lost for step in steps)),
        _median([step.p50_ms for step in steps]),
        _median([step.p99_ms for step in steps]),
        median(step.cores for step in steps),
    )


def _median(values: Iterable[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return median(present) if present else None
