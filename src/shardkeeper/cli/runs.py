"""`runs`, `run`, `logs`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import click
from rich.console import RenderableType
from rich.text import Text

from shardkeeper.cli.context import operations
from shardkeeper.cli.options import ago, answering, labels, watching
from shardkeeper.cli.output import (
    Column,
    Output,
    coloured,
    facts,
    note,
    plain,
    print_json,
    safe,
    state,
    table,
    text,
    took,
)
from shardkeeper.domain.runs import AttemptStatus, RunStatus
from shardkeeper.ports.operator import Row, RunFilter

BAD = (AttemptStatus.FAILED, AttemptStatus.TIMED_OUT, AttemptStatus.LOST)


@click.command()
@click.option("--job", help="Only of this job.")
@click.option("--status", type=click.Choice([one.value for one in RunStatus], case_sensitive=False))
@click.option("--node", help="Only those of which this node had an attempt.")
@click.option("--since", type=ago, help="Fire times from this instant, or so long ago.")
@click.option("--limit", type=click.IntRange(1, 100_000), default=50, show_default=True)
@labels
@answering
@watching
def runs(
    output: Output,
    job: str | None,
    status: str | None,
    node: str | None,
    since: datetime | None,
    limit: int,
    labels: dict[str, str],
) -> None:
    """Runs, newest fire time first. FAILED runs of jobs on demand are the dead letters: see `rerun`."""
    found = operations().runs.listing(RunFilter(job, status, node, since, labels, limit))
    output.rows(found, _columns(), "no runs")


@click.command()
@click.argument("run", metavar="RUN")
@answering
@watching
def run(output: Output, run: str) -> None:
    """One run (by id, or by name such as price-index@2026-11-21T03:00:00Z) with its attempts and values."""
    show_run(output, operations().runs.get(run))


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--item", type=click.IntRange(0), help="Only of this item.")
@click.option("--follow", is_flag=True, help="Go on until the run has ended.")
@answering
def logs(output: Output, run: str, item: int | None, follow: bool) -> None:
    """What a run's tasks printed and logged: the tail of each attempt, recorded when it ends."""
    found = operations().runs
    if follow:
        for attempt in found.follow(run):
            if item in (None, attempt["item"]):
                _follow(attempt)
        return
    attempts = [one for one in found.get(run)["shard_runs"] if item in (None, one["item"])]
    if output.as_json:
        kept = ("item", "attempt", "status", "node_id", "log")
        print_json([{name: one[name] for name in kept} for one in attempts])
        return
    for attempt in attempts:
        if len(attempts) > 1:
            click.echo(_title(attempt))
        _echo_log(attempt)
    if not any(attempt["log"] for attempt in attempts):
        note("nothing was printed, or no attempt has ended yet")


def show_run(output: Output, row: Row) -> None:
    """One run in full."""
    parts: list[RenderableType] = [facts(_described(output, row))]
    if row["shard_runs"]:
        parts += ["", table(row["shard_runs"], _attempt_columns(output))]
    if row["values"]:
        columns = [plain("ITEM", "item", right=True), plain("KEY", "key"), plain("VALUE", "value", fold=True)]
        parts += ["", table(row["values"], [*columns, plain("WEIGHT", "weight", right=True)])]
    if any(one["traceback"] for one in row["shard_runs"]):
        parts += ["", Text(f"`shardkeeper run {row['id']} --json` has the tracebacks", "dim")]
    output.one(row, *parts)


def _columns() -> list[Column]:
    return [
        plain("RUN", "id", right=True),
        plain("NAME (UTC)", "name"),
        plain("KIND", "trigger_kind"),
        state("STATUS", "status"),
        plain("ITEMS", "sharding_total_count", right=True),
        Column("LATE", lambda row: took(row["fire_time"], row["started_at"]), right=True),
        Column("TOOK", lambda row: took(row["started_at"], row["finished_at"]), right=True),
        Column("REASON", _reason, fold=True),
    ]


def _reason(row: Mapping[str, Any]) -> str:
    count = row["missed_count"]
    return f"{count} fires: {text(row['reason'])}" if count and count > 1 else text(row["reason"])


def _described(output: Output, row: Row) -> list[tuple[str, str | Text]]:
    until = f" to {output.time(row['fire_until'])}" if row["fire_until"] else ""
    return [
        ("run", Text(f"{row['id']}  {row['name']}", "bold")),
        ("status", coloured(row["status"])),
        ("reason", _reason(row)),
        (f"fire time ({output.zone_name})", f"{output.time(row['fire_time'])}{until}"),
        ("kind", text(row["trigger_kind"])),
        ("requested by", text(row["requested_by"])),
        ("rerun of", text(row["rerun_of"])),
        ("follows run", text(row["parent_run"])),
        (
            "follow-ups",
            "\n".join(f"{one['id']}  {one['name']}  {one['status']}" for one in row["follow_ups"]),
        ),
        ("version", f"{row['job_version']} (implementation {text(row['impl_version'])})"),
        ("parameters", text(row["parameters"] or None)),
        ("started", output.time(row["started_at"])),
        ("finished", output.time(row["finished_at"])),
        ("took", took(row["started_at"], row["finished_at"])),
        ("result", text(row["result"])),
    ]


def _attempt_columns(output: Output) -> list[Column]:
    return [
        plain("ITEM", "item", right=True),
        plain("TRY", "attempt", right=True),
        state("STATUS", "status"),
        plain("NODE", "node_id"),
        plain("PHASE", "phase"),
        output.instant("STARTED", "started_at"),
        Column("TOOK", lambda row: took(row["started_at"], row["finished_at"]), right=True),
        Column("", _trouble, fold=True),
    ]


def _trouble(attempt: Mapping[str, Any]) -> str:
    """What went wrong, or how far it is."""
    if attempt["error_message"] or attempt["error_type"]:
        return ": ".join(text(one) for one in (attempt["error_type"], attempt["error_message"]) if one)
    if attempt["status"] == AttemptStatus.RUNNING and attempt["progress"] is not None:
        return f"{attempt['progress']:.0%} {text(attempt['progress_message'])}".rstrip()
    return ""


def _title(attempt: Mapping[str, Any]) -> str:
    node = f" on {attempt['node_id']}" if attempt["node_id"] else ""
    return f"── item {attempt['item']}, attempt {attempt['attempt']}{node}: {attempt['status']}"


def _echo_log(attempt: Mapping[str, Any]) -> None:
    if attempt["log"]:
        click.echo(safe(attempt["log"].rstrip("\n"), keep="\n\t"))


def _follow(attempt: Mapping[str, Any]) -> None:
    trouble = _trouble(attempt)
    phase = f" in {attempt['phase']}" if attempt["phase"] else ""
    click.echo(f"{_title(attempt)}{phase}{f': {trouble}' if trouble else ''}")
    _echo_log(attempt)
