"""Whether a history keeps the promises: pure, so that it can be shown bad ones (tests/bench/test_storm_judge.py).

Every task has exactly one recorded outcome, by its one run; nothing is left open; no success is recorded twice or was
never told by its task; whatever had to end among the dead letters did so after exactly its attempts; whoever went on
from a checkpoint went on from the one that was recorded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.storm.history import Attempt, History, Run, Witness
from bench.storm.kinds import BY_NAME, Kind

TRIED = ("FAILED", "TIMED_OUT")
LAST_OF = {"COMPLETED": ("COMPLETED",), "FAILED": (*TRIED, "LOST"), "STOPPED": ("STOPPED",)}
WITH_THEIR_WORKER = "WorkerDied"


@dataclass(frozen=True, slots=True)
class Violation:
    """What does not hold. ``run``: None where it is about no single one."""

    run: int | None
    text: str

    def __str__(self) -> str:
        return self.text if self.run is None else f"run {self.run}: {self.text}"


def judge(history: History) -> list[Violation]:
    """All that does not hold, by run."""
    found = [
        Violation(run, "was submitted and is gone") for run in history.submitted if run not in history.runs
    ]
    for number, run in sorted(history.runs.items()):
        if number not in history.submitted:
            found.append(Violation(number, f"nobody submitted this {run.kind}"))
            continue
        kind = BY_NAME[history.submitted[number]]
        found += [Violation(number, f"{kind.name}: {text}") for text in _of_run(run, kind, history.witness)]
    return [*found, *_of_nodes(history), *_of_deaths(history)]


def _of_run(run: Run, kind: Kind, witness: Witness) -> Iterator[str]:
    told = ", ".join(f"{one.number} {one.status} {one.error_type or ''}".rstrip() for one in run.attempts)
    if run.kind != kind.name:
        yield f"is a run of {run.kind}"
    if not run.finished or run.open_items or run.status not in LAST_OF:
        yield f"is not closed: {run.status}, {run.open_items} open items, attempts: {told}"
        return
    if problem := _of_attempts(run):
        yield f"{run.status}, but {problem}: {told}"
        return
    yield from _of_witness(run, witness)
    yield from _of_checkpoints(run, witness)
    if problem := _of_outcome(run, kind):
        yield f"{problem}: {run.status}, attempts: {told}"


def _of_attempts(run: Run) -> str | None:
    """One after the other, all ended, one outcome."""
    statuses = [one.status for one in run.attempts]
    if [one.number for one in run.attempts] != list(range(1, len(statuses) + 1)) or not statuses:
        return "its attempts are not numbered from 1 on"
    if left := [status for status in statuses if status in ("PENDING", "RUNNING")]:
        return f"an attempt is {left[0]}"
    if statuses[-1] not in LAST_OF[run.status]:
        return f"its last attempt is {statuses[-1]}"
    if statuses.count("COMPLETED") != (run.status == "COMPLETED"):
        return f"{statuses.count('COMPLETED')} of its attempts are COMPLETED"
    return None


def _of_witness(run: Run, witness: Witness) -> Iterator[str]:
    """A success is told once by the attempt it is recorded of. One that was told, and is not recorded, died with its
    worker or node between the telling and the recording."""
    for attempt in run.attempts:
        told = witness.done.get((run.id, attempt.number), 0)
        if told > 1:
            yield f"attempt {attempt.number} told its success {told} times"
        if attempt.status == "COMPLETED" and told == 0:
            yield f"attempt {attempt.number} is COMPLETED and never told so"
        died = attempt.status == "LOST" or attempt.error_type == WITH_THEIR_WORKER
        if told and attempt.status != "COMPLETED" and not died:
            yield f"attempt {attempt.number} told its success and is {attempt.status} {attempt.error_type}"


def _of_checkpoints(run: Run, witness: Witness) -> Iterator[str]:
    """The next attempt goes on where the recorded checkpoint of the one before it ends."""
    done = 0
    for attempt in run.attempts:
        steps = witness.steps.get((run.id, attempt.number), ())
        if steps and list(steps) != list(range(done + 1, done + 1 + len(steps))):
            yield f"attempt {attempt.number} took the steps {list(steps)} after the checkpoint of step {done}"
        done = attempt.done or done


def _of_outcome(run: Run, kind: Kind) -> str | None:
    """How it had to end. A worker that the storm killed costs the attempt it had a try."""
    tries = [one for one in run.attempts if one.status in TRIED]
    own = [one for one in tries if one.error_type != WITH_THEIR_WORKER]
    if len(tries) > kind.max_attempts:
        return f"more than {kind.max_attempts} tries"
    if len(own) > kind.own_failures:
        return f"tries failed by no worker's death: {_errors(own)}"
    if run.status == "COMPLETED" and kind.completes:
        return None
    if run.status != "FAILED":
        return "ended otherwise than it had to"
    if len(tries) != kind.max_attempts or run.attempts[-1].status not in TRIED:
        return f"{len(tries)} tries, not {kind.max_attempts}"
    if kind.completes and len(tries) == len(own):
        return "failed though nobody killed its workers"
    return None


def _errors(attempts: Sequence[Attempt]) -> str:
    return "; ".join(f"{one.error_type} {one.error_message}" for one in attempts)


def _of_nodes(history: History) -> Iterator[Violation]:
    """Whoever is gone has been found dead, and has nothing RUNNING."""
    alive = Counter(lease.node for lease in history.leases if lease.state != "dead")
    for node, lives in alive.items():
        if lives > 1:
            yield Violation(None, f"node {node} has {lives} living incarnations")
    for lease in history.leases:
        if lease.running:
            yield Violation(
                None, f"{lease.running} attempts are RUNNING under {lease.incarnation} of {lease.node}"
            )


def _of_deaths(history: History) -> Iterator[Violation]:
    """Of those that kill no worker, no more attempts died with theirs than workers were killed."""
    deaths = sum(
        one.error_type == WITH_THEIR_WORKER
        for number, run in history.runs.items()
        if BY_NAME[history.submitted.get(number, run.kind)].completes
        for one in run.attempts
    )
    if deaths > history.workers_killed:
        yield Violation(
            None,
            f"{deaths} harmless attempts died with their workers, of which {history.workers_killed} were killed",
        )
