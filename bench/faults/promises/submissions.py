"""What was submitted is one run, whatever was heard of it; and nobody submitted anything else."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from bench.faults.history import History, Run
from bench.faults.violation import Violation

PROMISE = "submissions"


def check(history: History) -> Iterator[Violation]:
    """The stream's promises against the runs."""
    runs: dict[tuple[str, str | None], list[Run]] = defaultdict(list)
    for run in history.runs.values():
        if run.trigger_kind == "submit":
            runs[run.job, run.key].append(run)
    for promise in history.promises:
        own = runs.pop((promise.job, promise.key), [])
        name = f"{promise.key} of {promise.job}"
        if not promise.answers:
            yield Violation(PROMISE, f"{name} was given {promise.asked} times and never answered")
        elif len(own) != 1:
            yield Violation(PROMISE, f"{name} was promised as {promise.answers} and has {len(own)} runs")
        elif set(promise.answers) != {own[0].id}:
            yield Violation(PROMISE, f"{name} was answered with {promise.answers}", own[0].id)
    for (job, key), strange in runs.items():
        yield Violation(
            PROMISE, f"nobody submitted {key} of {job}, which is run {[run.id for run in strange]}"
        )
