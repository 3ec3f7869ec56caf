"""What a storm's verdict says to people."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from bench.storm.kinds import BY_NAME, KINDS
from bench.storm.storm import Verdict
from bench.tables import text_table

MOST_NAMED = 50
HEAD = ("kind", "must end", "runs", "completed", "failed", "attempts", "lost", "worker died")


def report(verdict: Verdict) -> Iterator[str]:
    """Lines: by kind, in all, then what does not hold."""
    history = verdict.history
    yield text_table(HEAD, [_row(verdict, kind.name) for kind in KINDS])
    attempts = [one for run in history.runs.values() for one in run.attempts]
    statuses = Counter(one.status for one in attempts)
    yield (
        f"{len(history.submitted):,} tasks in {verdict.took_s:.0f} s: "
        f"{len(history.submitted) / verdict.took_s:,.0f}/s; {len(attempts):,} attempts"
    )
    taken_over = sum(lease.taken_over for lease in history.leases)
    yield (
        f"{verdict.nodes_killed} nodes killed, {len(history.leases)} lives of nodes, {taken_over} taken over, "
        f"{statuses['LOST']} attempts lost with them and tried again"
    )
    deaths = sum(one.error_type == "WorkerDied" for one in attempts)
    told = ", ".join(f"{name} {count}" for name, count in sorted(verdict.restarts.items()))
    yield (
        f"{history.workers_killed} workers killed; {deaths} attempts died with their worker; {verdict.deaths} worker "
        f"deaths logged by all lives; restarts by `nodes --json`, of the lives at the end: {told}"
    )
    yield "every promise held" if not verdict.violations else f"{len(verdict.violations)} VIOLATIONS:"
    for violation in verdict.violations[:MOST_NAMED]:
        yield f"  {violation}"


def _row(verdict: Verdict, kind: str) -> tuple[str, ...]:
    runs = [run for run in verdict.history.runs.values() if run.kind == kind]
    statuses = Counter(run.status for run in runs)
    attempts = [one for run in runs for one in run.attempts]
    lost = sum(one.status == "LOST" for one in attempts)
    died = sum(one.error_type == "WorkerDied" for one in attempts)
    ends = "COMPLETED" if BY_NAME[kind].completes else f"FAILED after {BY_NAME[kind].max_attempts}"
    figures = (len(runs), statuses["COMPLETED"], statuses["FAILED"], len(attempts), lost, died)
    return (kind, ends, *(f"{figure:,}" for figure in figures))
