"""How late what was scheduled began, by the tasks' own word."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from bench.faults.history import History, Run


@dataclass(frozen=True, slots=True)
class Start:
    """An item of a fire, which began so many seconds after its fire time, whichever attempt it was. ``made_up``: by the
    sweep, which runs later by design."""

    run: int
    item: int
    fire_time: float
    late_s: float
    made_up: bool


def starts(history: History) -> Iterator[Start]:
    """Every item of every fire that began, since all nodes are up; not those that had to wait for their turn."""
    waited = waited_for_others(history)
    for runs in history.runs_of.values():
        for run in runs:
            if run.fire_time < history.all_up_at or run.id in waited:
                continue
            for item, began in begins_of(history, run).items():
                if began is not None:
                    made_up = run.trigger_kind != "schedule"
                    yield Start(run.id, item, run.fire_time, began - run.fire_time, made_up)


def begins_of(history: History, run: Run) -> Mapping[int, float | None]:
    """When each item of a run began for the first time, in seconds since the epoch; None: never. Empty for a record."""
    if run.status in ("MISSED", "SKIPPED"):
        return {}
    found: dict[int, float | None] = {}
    for item in range(run.items):
        own = history.executions_of.get((run.id, item), ())
        found[item] = own[0].began if own else None
    return found


def waited_for_others(history: History) -> frozenset[int]:
    """The runs of jobs that do not overlap which were created while another one was open: they wait for their turn."""
    return frozenset(
        run
        for name, runs in history.runs_of.items()
        if name in history.jobs and history.jobs[name].overlap != "allow"
        for run in _waited(runs)
    )


def _waited(runs: Sequence[Run]) -> Iterator[int]:
    busy_until = 0.0
    for run in sorted(runs, key=lambda run: run.created_at):
        if run.status not in ("MISSED", "SKIPPED"):
            if run.created_at < busy_until:
                yield run.id
            busy_until = max(busy_until, run.finished_at if run.finished_at is not None else float("inf"))
