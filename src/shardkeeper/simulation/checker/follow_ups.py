"""What follows is started once for what it follows, and what failed for good is rolled back once (rule 5)."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator

from shardkeeper.domain.runs import AttemptStatus, RunStatus, TriggerKind
from shardkeeper.memory.history import Entry, What
from shardkeeper.memory.rows import Run, flow_of
from shardkeeper.simulation.checker.limits import row_at
from shardkeeper.simulation.checker.verdict import Broken
from shardkeeper.simulation.tasks import UNDOABLE
from shardkeeper.simulation.world import World

PROMISE = "follow_ups"
BY_ITSELF = (AttemptStatus.COMPLETED, AttemptStatus.FAILED, AttemptStatus.TIMED_OUT)


def check(world: World) -> Iterator[Broken]:
    """Closed runs against follow-ups; failed runs against what rolled them back."""
    wanted = _wanted(world)
    made = Counter(
        (run.job_name, run.parent_run or 0)
        for run in world.database.runs.values()
        if run.kind is TriggerKind.FOLLOW_UP
    )
    for (name, parent), times in sorted((wanted - made).items()):
        yield Broken(
            PROMISE, f"{times} runs of {name} are missing that follow run {parent}", f"run_id={parent},"
        )
    for (name, parent), times in sorted((made - wanted).items()):
        yield Broken(PROMISE, f"{times} runs of {name} too many follow run {parent}", f"run_id={parent},")
    yield from _rolled_back(world)


def _wanted(world: World) -> Counter[tuple[str, int]]:
    """By follower and by the run that was the last to close."""
    wanted: Counter[tuple[str, int]] = Counter()
    gates: dict[tuple[str, str], dict[str, RunStatus]] = defaultdict(dict)
    names = sorted(
        {edit.job_name for edit in world.people.diary.edits if edit.row and edit.row.get("follows")}
    )
    deletions = [edit for edit in world.people.diary.edits if edit.row is None and edit.job_name in names]
    for entry in world.database.history.of(What.RUN_CLOSED):
        while deletions and deletions[0].at <= entry.at:
            gone = deletions.pop(0).job_name
            for key in [key for key in gates if key[0] == gone]:
                del gates[key]
        for name in names:
            follows = row_at(world.people.diary, name, entry.at).get("follows") or {}
            if entry.job_name in follows.get("jobs", ()):
                wanted[name, entry.run_id or 0] += _starts(world, gates, name, follows, entry)
    return +wanted


def _starts(
    world: World,
    gates: dict[tuple[str, str], dict[str, RunStatus]],
    name: str,
    follows: dict[str, list[str]],
    entry: Entry,
) -> bool:
    status, condition = RunStatus(entry.note or ""), follows.get("on", "completed")
    if condition == "failed":
        return status is RunStatus.FAILED
    gate = gates[name, flow_of(world.database.runs[entry.run_id or 0])]
    gate[entry.job_name or ""] = status
    opens = all(
        job in gate and (condition == "ended" or gate[job] is RunStatus.COMPLETED) for job in follows["jobs"]
    )
    if opens:
        gate.clear()
    return opens


# ---- rolling back


def _rolled_back(world: World) -> Iterator[Broken]:
    begun = {(one.key, one.claim_no) for one in world.witnesses.all}
    times = Counter(
        (entry.run_id or 0, entry.item or 0) for entry in world.database.history.of(What.COMPENSATING)
    )
    for run in world.database.runs.values():
        for item, rows in run.attempts.items():
            real = [row for row in rows if not row.compensates]
            owes = any(row.compensable for row in real)
            seen = any((row.key, row.claim_no) in begun and row.status in BY_ITSELF for row in real)
            if _undoable(world, run) and seen and not owes:
                yield _broken(run, item, "ran what can be rolled back, and nobody knows")
            due = owes and run.status is RunStatus.FAILED
            found = times[run.run_id, item]
            if found > 1 or (found == 1 and not due):
                yield _broken(run, item, f"was to be rolled back {found} times, with the run {run.status}")
            if due and not found and not run.stop_requested:
                yield _broken(run, item, "was not rolled back, and its run failed for good")


def _undoable(world: World, run: Run) -> bool:
    impl = world.database.impl_version_by_no.get(run.impl_version)
    return impl is not None and impl.impl is not None and impl.impl["entrypoint"] == UNDOABLE


def _broken(run: Run, item: int, what: str) -> Broken:
    return Broken(
        PROMISE, f"item {item} of run {run.run_id} of {run.job_name} {what}", f"run_id={run.run_id},"
    )
