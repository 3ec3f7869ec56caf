"""What `shardkeeper dev --seconds N` says at its end, and whether all was well."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

from shardkeeper.dev.fleet import Death
from shardkeeper.dev.picture import first_error, lateness, short
from shardkeeper.devservers.fake_slack import Received
from shardkeeper.ports.operator import Row

EXPECTED: Final = "expected"
FAILURE: Final = "failure"
"""A job with the label expected=failure is there to be seen failing."""


@dataclass(frozen=True, slots=True)
class JobVerdict:
    """How one job did. ``problem``: what is wrong with that, None when nothing is."""

    name: str
    statuses: Mapping[str, int]
    items: int
    late: tuple[timedelta, ...]
    said: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that counts. ``judged``: names of the jobs that were applied here; others are only shown. ``runs``: those
    fired since, with attempts where they FAILED. ``due``: names of jobs that had a fire long enough ago to have
    ended. ``nodes``: how many attempts each had."""

    jobs: Sequence[Row]
    judged: frozenset[str]
    runs: Sequence[Row]
    due: frozenset[str]
    nodes: Mapping[str, int]
    inbox: tuple[Received, ...] | None
    deaths: Sequence[Death]
    wrong_ends: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Summary:
    """The verdict on the whole session."""

    jobs: tuple[JobVerdict, ...]
    evidence: Evidence
    problems: tuple[str, ...] = field(default=())

    @property
    def ok(self) -> bool:
        return not self.problems


def judge(evidence: Evidence) -> Summary:
    """A job must have completed whatever ran, and have run if it was due; one that is expected to fail must have
    failed, and its alert must have arrived. Runs that lost attempts when somebody killed their node are forgiven."""
    killed = any(not death.own_fault for death in evidence.deaths)
    verdicts = tuple(_verdict(job, evidence, killed) for job in evidence.jobs)
    problems = [f"{one.name}: {one.problem}" for one in verdicts if one.problem]
    problems += [f"{one.node_id} {one.how}: see {one.log}" for one in evidence.deaths if one.own_fault]
    problems += evidence.wrong_ends
    return Summary(verdicts, evidence, tuple(problems))


def _verdict(job: Row, evidence: Evidence, killed: bool) -> JobVerdict:
    name = job["name"]
    runs = [run for run in evidence.runs if run["job_name"] == name]
    statuses = Counter(run["status"] for run in runs)
    items = sum(run["sharding_total_count"] for run in runs if run["status"] == "COMPLETED")
    late = tuple(sorted(span for span in map(lateness, runs) if span is not None))
    said: str
    problem: str | None
    if name not in evidence.judged:
        said, problem = "not from these spec files", None
    elif job["labels"].get(EXPECTED) == FAILURE:
        said, problem = _should_fail(name, statuses, evidence)
    else:
        said, problem = _should_succeed(job, runs, statuses, evidence, killed)
    return JobVerdict(name, statuses, items, late, said, problem)


def _should_succeed(
    job: Row, runs: Sequence[Row], statuses: Mapping[str, int], evidence: Evidence, killed: bool
) -> tuple[str, str | None]:
    if job["problem"]:
        return "", f"has a problem: {job['problem']}"
    failed = [run for run in runs if run["status"] == "FAILED" and not (killed and _lost_any(run))]
    if failed:
        return "", f"{len(failed)} of its runs failed, {failed[0]['name']} with {first_error(failed[0])}"
    if statuses.get("COMPLETED"):
        return "as it should", None
    if job["paused"]:
        return f"paused: {job['paused_reason']}" if job["paused_reason"] else "paused", None
    if job["name"] in evidence.due:
        return "", "was due, and no run of it has completed"
    return "was not due", None


def _should_fail(name: str, statuses: Mapping[str, int], evidence: Evidence) -> tuple[str, str | None]:
    if not statuses.get("FAILED"):
        return ("", "should have failed, and has not") if name in evidence.due else ("was not due", None)
    if evidence.inbox is None:
        return "failed, as it should", None
    if not alert_arrived(name, evidence.inbox):
        return "", "failed as it should, but its alert has not arrived"
    return "failed as it should, and its alert arrived", None


def alert_arrived(job: str, inbox: tuple[Received, ...]) -> bool:
    """Whether a message tells of a failure of that job."""
    return any(f" {job} " in f"{message.text} " and "FAILED" in message.text for message in inbox)


def _lost_any(run: Row) -> bool:
    return any(one["status"] == "LOST" for one in run.get("shard_runs", ()))


def print_summary(summary: Summary, console: Console, headline: str) -> None:
    """The summary as people read it."""
    evidence = summary.evidence
    console.print()
    console.print(Text(headline, style="bold"))
    console.print()
    table = Table(box=None, padding=(0, 3, 0, 0), pad_edge=False, header_style="bold dim")
    for column in ("JOB", "RUNS", "ITEMS", "LATE p50", "p99", ""):
        table.add_column(
            column, justify="right" if column in ("ITEMS", "LATE p50", "p99") else "left", no_wrap=True
        )
    for one in summary.jobs:
        runs = ", ".join(f"{n} {status}" for status, n in sorted(one.statuses.items()))
        said = Text(one.said, style="dim") if one.problem is None else Text("not as it should", style="red")
        table.add_row(
            one.name, runs or "–", str(one.items or "–"), _share(one.late, 0.5), _share(one.late, 0.99), said
        )
    console.print(table)
    console.print()
    nodes = "   ".join(f"{node} {count}" for node, count in sorted(evidence.nodes.items()))
    console.print(Text.assemble(("ATTEMPTS BY NODE  ", "bold dim"), nodes or "none"), soft_wrap=True)
    for death in evidence.deaths:
        console.print(f"{death.node_id} (pid {death.pid}) {death.how}", soft_wrap=True)
    if evidence.inbox is not None:
        console.print(Text.assemble(("ALERTS TOLD  ", "bold dim"), str(len(evidence.inbox))))
    console.print()
    for problem in summary.problems:
        console.print(Text(f"✗ {problem}", style="red"), soft_wrap=True)
    if summary.ok:
        console.print(Text("✓ Everything that should have succeeded has.", style="green"))


def _share(late: Sequence[timedelta], share: float) -> str:
    return short(late[min(len(late) - 1, int(share * len(late)))]) if late else "–"
