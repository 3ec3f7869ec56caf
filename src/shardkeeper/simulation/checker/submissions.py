"""What was submitted ran: once for each submission, or once for each idempotency key, and never before it was to.

How each ended is judged with all other runs (``attempts``, ``endings``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from shardkeeper.domain.runs import TriggerKind
from shardkeeper.memory.rows import Run
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.people import Submission
from shardkeeper.simulation.world import World

PROMISE = "submissions"


def check(world: World) -> Iterator[Broken]:
    """The people's diary against the runs of kind submit."""
    by_mark: dict[int, list[Run]] = defaultdict(list)
    by_key: dict[tuple[str, str], list[Run]] = defaultdict(list)
    for run in world.database.runs.values():
        if run.kind is TriggerKind.SUBMIT:
            by_mark[run.parameters["mark"]].append(run)
            if run.idempotency_key is not None:
                by_key[run.job_name, run.idempotency_key].append(run)
    told: dict[tuple[str, str], set[int]] = defaultdict(set)
    for submission in world.people.diary.submissions:
        yield from _answered(world, submission)
        for place, mark in enumerate(submission.marks):
            runs = by_mark.pop(mark, [])
            yield from _marked(submission, place, runs)
            if submission.keys is not None:
                key = (submission.job_name, submission.keys[place])
                if submission.answer is not None:
                    told[key].add(submission.answer[place])
                if len(by_key[key]) != 1:
                    what = f"{len(by_key[key])} runs of {key[0]} have the key {key[1]}"
                    yield Broken(PROMISE, what, key[1])
    for (name, key_text), ids in told.items():
        if len(ids) > 1:
            yield Broken(
                PROMISE, f"the key {key_text} of {name} was answered with the runs {sorted(ids)}", name
            )
    for mark, runs in by_mark.items():
        yield Broken(PROMISE, f"nobody submitted what runs {[run.run_id for run in runs]} are ({mark})")


def _answered(world: World, submission: Submission) -> Iterator[Broken]:
    for run_id in submission.answer or ():
        run = world.database.runs.get(run_id)
        if run is None or run.job_name != submission.job_name or run.kind is not TriggerKind.SUBMIT:
            what = f"{submission.job_name} was submitted at {submission.at} as run {run_id}, which is not one of it"
            yield Broken(PROMISE, what, f"run_id={run_id},")


def _marked(submission: Submission, place: int, runs: list[Run]) -> Iterator[Broken]:
    """A submission without a key is a run, also when nobody heard the answer: what is lost here is the answer alone."""
    name, mark = submission.job_name, submission.marks[place]
    most_and_least = (1, 1) if submission.keys is None else (1, 0)
    if not most_and_least[1] <= len(runs) <= most_and_least[0]:
        yield Broken(
            PROMISE, f"submission {mark} of {name} has the runs {[run.run_id for run in runs]}", name
        )
    for run in runs:
        if run.priority != (submission.priority or run.terms.priority):
            what = f"run {run.run_id} of {name} has the priority {run.priority}, not {submission.priority}"
            yield Broken(PROMISE, what, f"run_id={run.run_id},")
        first = [rows[0].claimed_at for rows in run.attempts.values()]
        if submission.not_before is not None and any(
            at is not None and at < submission.not_before for at in first
        ):
            what = f"run {run.run_id} of {name} was taken before {submission.not_before}"
            yield Broken(PROMISE, what, f"run_id={run.run_id},")
